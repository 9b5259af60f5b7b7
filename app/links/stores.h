// What a look-up and a write ask of the stores below; PostgreSQL and Redis stand behind it, and fakes in tests.
// Thread: the loop's.
#pragma once

#include "app/links/cache.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

enum class Tier : std::uint8_t { Memory, Redis, Replica, Primary, Last = Primary };
std::string_view name_of(Tier tier);

/// Who gave the answer of a look-up; the first four are the tiers.
enum class Source : std::uint8_t { Cache, Redis, Replica, Primary, Stale, None, Last = None };
std::string_view name_of(Source source);

/// How asking one tier ended.
enum class Asked : std::uint8_t { Hit, Miss, Error, Timeout, Skipped, Last = Skipped };
std::string_view name_of(Asked asked);

/// A link as a store has it.
struct FoundLink {
  std::string_view code;
  std::string_view target;
  bool is_deleted = false;
};

/// The primary.
class LinkDatabase {
 public:
  /// Told once for each ask(); `asked` is Hit where the database answered, whatever it found.
  class Receiver {
   public:
    virtual void on_rows(Tier tier, Asked asked, std::span<const FoundLink> rows) = 0;

   protected:
    ~Receiver() = default;
  };

  virtual bool is_available() const = 0;
  /// The answer comes later, within the tier's deadline. The codes are copied.
  virtual void ask(const std::vector<std::string_view>& codes, Receiver& receiver) = 0;

 protected:
  ~LinkDatabase() = default;
};

/// The replicas, each as far behind the primary as it is.
class ReplicaDatabase {
 public:
  using Receiver = LinkDatabase::Receiver;

  virtual bool is_available() const = 0;
  /// Up to where in the primary's log the one that would be asked has got; 0 where that is not known.
  virtual std::uint64_t replayed() const = 0;
  /// The same of the one that is furthest behind, among those in use.
  virtual std::uint64_t replayed_by_all() const = 0;
  /// Somebody waits for replayed() to grow.
  virtual void hurry() = 0;
  /// As LinkDatabase::ask(), of a replica that has replayed up to `lsn_min`; Asked::Skipped at once where none has.
  virtual void ask(const std::vector<std::string_view>& codes, std::uint64_t lsn_min, Receiver& receiver) = 0;

 protected:
  ~ReplicaDatabase() = default;
};

/// What all instances share, and may lose at any time.
class SharedCache {
 public:
  class Receiver {
   public:
    /// `link` is of meaning with Asked::Hit.
    virtual void on_cached(std::string_view code, Asked asked, const FoundLink& link, Proof proof) = 0;

   protected:
    ~Receiver() = default;
  };

  virtual bool is_available() const = 0;
  /// False where it is away; else the answer comes, perhaps at once.
  virtual bool ask(std::string_view code, Receiver& receiver) = 0;
  /// A reader's find: never over what is there.
  virtual void fill(std::string_view code, std::string_view target, Proof proof) = 0;
  /// The writer's word, or the primary's. `done` comes once, whether it succeeded or not, and perhaps at once.
  virtual void put(std::string_view code, std::string_view target, std::function<void()> done) = 0;
  virtual void bury(std::string_view code, std::function<void()> done) = 0;
  /// It was changed: what is there may be older.
  virtual void forget(std::string_view code, std::function<void()> done) = 0;

 protected:
  ~SharedCache() = default;
};

}  // namespace holdfast::app
