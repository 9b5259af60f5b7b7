// Creates, changes and deletes links: one statement on the primary each, then Redis and this process are told, then the
// answer.
// Thread: the loop's.
#pragma once

#include "app/links/cache.h"
#include "app/links/lookup.h"
#include "app/links/stored_link.h"
#include "app/links/stores.h"
#include "app/metrics.h"
#include "app/store/postgres.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// Where a request bore an Idempotency-Key.
struct OnceKey {
  std::string key;          // empty: none
  std::string scope;        // whose key
  std::string fingerprint;  // SHA-256 of what was asked, in hexadecimal
};

/// A link to be made, judged already.
struct NewLink {
  StoredLink link;              // its code is the slug that was asked for; empty: a random one is made
  std::size_t code_length = 7;  // of a random one
};

/// Links to be made together, each made ready when it is added.
class ManyLinks {
 public:
  void add(NewLink link);
  std::size_t size() const { return links_.size(); }

 private:
  friend class LinkWriter;
  std::vector<NewLink> links_;
  std::string json_ = "[";  // without its end
};

enum class Created : std::uint8_t {
  Fresh,
  Replayed,  // the key was used for the same before: the first response once more
  SlugTaken,
  KeyMismatch,  // the key was used for something else before
  InProgress,   // the first request with this key has no outcome yet
  Unavailable,  // the primary cannot be asked, or did not say: without a key it may have been made
};

class CreateUser {
 public:
  virtual ~CreateUser() = default;
  /// The whole response body for this link; stored with it where there is a key.
  virtual std::string response_for(const StoredLink& link) = 0;
  /// Called once; the user is destroyed after it. `body` is of meaning with Fresh and Replayed.
  virtual void on_created(Created outcome, std::string_view body) = 0;
};

class CreateManyUser {
 public:
  virtual ~CreateManyUser() = default;
  /// Called once; the user is destroyed after it. With Fresh and Replayed there is a code for each link, empty where
  /// its slug was taken.
  virtual void on_created_many(Created outcome, std::string_view created_at, std::span<const std::string> codes) = 0;
};

enum class Changed : std::uint8_t {
  Done,
  NotFound,
  Gone,         // deleted
  Foreign,      // another key's
  OldVersion,   // not the version that was expected
  BadRange,     // it would begin to be valid when it no longer is
  Unavailable,  // it may or may not have been done
};

class ChangeUser {
 public:
  virtual ~ChangeUser() = default;
  /// Called once; the user is destroyed after it. `link` is of meaning with Done. A repeated deletion is Done again.
  virtual void on_changed(Changed outcome, const StoredLink& link) = 0;
};

class LinkWriter {
 public:
  /// `shared` is null where there is no Redis.
  LinkWriter(Loop& loop, Postgres& primary, LinkCache& cache, SharedCache* shared, Lookup& lookup,
             AppCounters& counters, std::chrono::milliseconds deadline)
      : loop_(loop),
        primary_(primary),
        cache_(cache),
        shared_(shared),
        lookup_(lookup),
        counters_(counters),
        deadline_(deadline) {}

  void create(NewLink link, OnceKey once, std::unique_ptr<CreateUser> user);
  /// All in one statement; each for itself.
  void create_many(ManyLinks links, OnceKey once, std::unique_ptr<CreateManyUser> user);
  /// `changes` is a JSON object of columns; `version` and `owner` are what is expected, empty for any.
  void change(std::string_view code, std::string changes, std::string version, std::string owner,
              std::unique_ptr<ChangeUser> user);
  void remove(std::string_view code, std::string owner, std::unique_ptr<ChangeUser> user);

 private:
  struct Creation;
  struct CreationOfMany;
  class CreateQuery;
  class CreateManyQuery;
  class ChangeQuery;
  class DeleteQuery;

  void attempt(std::shared_ptr<Creation> creation);
  void on_answer(std::shared_ptr<Creation> creation, const PgAnswer& answer);
  void on_answer(std::shared_ptr<CreationOfMany> creation, const PgAnswer& answer);
  void on_changed(std::shared_ptr<ChangeUser> user, const PgAnswer& answer);
  void on_removed(const std::string& code, std::shared_ptr<ChangeUser> user, const PgAnswer& answer);

  Loop& loop_;
  Postgres& primary_;
  LinkCache& cache_;
  SharedCache* shared_;
  Lookup& lookup_;
  AppCounters& counters_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
