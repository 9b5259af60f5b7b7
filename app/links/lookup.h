// From a code to its link: this process, Redis, the replica, the primary, in this order. That a code does not exist is
// the primary's word alone, so a link that was just made is found whatever the others know. When nothing below answers,
// an old copy is served; a deleted link never is.
// Thread: the loop's.
#pragma once

#include "app/links/cache.h"
#include "app/links/stores.h"
#include "app/metrics.h"
#include "common/loop/loop.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace holdfast::app {

/// So many in a second, and so many at once.
class TokenBucket {
 public:
  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
  bool take(TimePoint now);

 private:
  double rate_;
  double burst_;
  double tokens_;
  TimePoint filled_at_{};
};

struct LookupSettings {
  double primary_rate = 5'000;  // codes a second that the primary is asked for because nobody else knew them
  double primary_burst = 10'000;
  bool replica_is_primary = false;  // there is no replica: what it says is the primary's word
  std::size_t under_way_max = 10'000;
};

enum class Outcome : std::uint8_t { Found, Deleted, NotFound, Unavailable };

struct LookupAnswer {
  Outcome outcome = Outcome::Unavailable;
  std::string_view target;  // dies with the call
};

/// Waits for a code that is not at hand.
class LookupWaiter {
 public:
  virtual ~LookupWaiter() = default;
  /// Called once; the waiter is destroyed after it.
  virtual void on_looked_up(const LookupAnswer& answer) = 0;
};

class Lookup : private LinkDatabase::Receiver, private SharedCache::Receiver {
 public:
  static constexpr std::size_t kBatchMax = 256;

  /// `shared` is null where there is no Redis.
  Lookup(Loop& loop, const LookupSettings& settings, LinkCache& cache, SharedCache* shared, LinkDatabase& replica,
         LinkDatabase& primary, AppCounters& counters);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  /// Answers from memory, true; else false, and find() is to be used.
  bool find_now(std::string_view code, LookupAnswer& answer);
  /// Answers when the stores have spoken, perhaps from inside. One look-up of a code is under way at a time.
  void find(std::string_view code, std::unique_ptr<LookupWaiter> waiter);

  /// A writer changed or deleted it: what is under way may have seen the old state, and must not be kept.
  void supersede(std::string_view code);

  std::size_t under_way() const { return by_code_.size(); }

 private:
  struct Pending {
    std::string code;
    std::vector<std::unique_ptr<LookupWaiter>> waiters;
    bool replica_missed = false;  // the replica answered, and did not know it
    bool is_superseded = false;
  };
  /// One tier's look-ups: one flight at a time, the next gathers meanwhile.
  struct Batch {
    LinkDatabase& database;
    std::vector<Pending*> gathering;
    std::vector<Pending*> in_flight;
  };

  void on_cached(std::string_view code, Asked asked, const FoundLink& link, Proof proof) override;
  void on_rows(Tier tier, Asked asked, std::span<const FoundLink> rows) override;

  void ask_replica(Pending& pending);
  void ask_primary(Pending& pending);
  void gather(Batch& batch, Pending& pending);
  void fly();
  void fly(Batch& batch);
  void found(Pending& pending, Tier tier, const FoundLink& link, Proof proof);
  void not_found(Pending& pending);
  void unavailable(Pending& pending);
  void finish(Pending& pending, const LookupAnswer& answer);
  void count(Tier tier, Asked asked);

  Loop& loop_;
  LookupSettings settings_;
  LinkCache& cache_;
  SharedCache* shared_;
  AppCounters& counters_;
  Batch replica_;
  Batch primary_;
  TokenBucket primary_budget_;
  std::unordered_map<std::string_view, std::unique_ptr<Pending>> by_code_;  // keys view the Pending's own codes
  bool is_flying_soon_ = false;
};

}  // namespace holdfast::app
