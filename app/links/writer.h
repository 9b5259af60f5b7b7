// Creates and deletes links: one statement on the primary each, then Redis and this process are told, then the answer.
// Thread: the loop's.
#pragma once

#include "app/links/cache.h"
#include "app/links/lookup.h"
#include "app/links/stores.h"
#include "app/metrics.h"
#include "app/store/postgres.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::app {

/// A link to be made, judged already.
struct NewLink {
  std::string target;
  std::string slug;        // empty: a random code is made
  std::string created_at;  // RFC 3339
  // Where the request bore an Idempotency-Key:
  std::string key;
  std::string scope;        // whose key
  std::string fingerprint;  // SHA-256 of what was asked, in hexadecimal
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
  /// The whole response body for a link of this code; stored with the link where there is a key.
  virtual std::string response_for(std::string_view code) = 0;
  /// Called once; the user is destroyed after it. `body` is of meaning with Fresh and Replayed.
  virtual void on_created(Created outcome, std::string_view body) = 0;
};

enum class Deleted : std::uint8_t { Done, NotFound, Unavailable };

class DeleteUser {
 public:
  virtual ~DeleteUser() = default;
  /// Called once; the user is destroyed after it. A repeated deletion is Done again.
  virtual void on_deleted(Deleted outcome) = 0;
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

  void create(NewLink link, std::unique_ptr<CreateUser> user);
  void remove(std::string_view code, std::unique_ptr<DeleteUser> user);

 private:
  struct Creation;
  class CreateQuery;
  class DeleteQuery;

  void attempt(std::shared_ptr<Creation> creation);
  void on_answer(std::shared_ptr<Creation> creation, const PgAnswer& answer);
  void on_removed(const std::string& code, std::shared_ptr<DeleteUser> user, const PgAnswer& answer);

  Loop& loop_;
  Postgres& primary_;
  LinkCache& cache_;
  SharedCache* shared_;
  Lookup& lookup_;
  AppCounters& counters_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
