// From a code to its link: this process, Redis, a replica, the primary, in this order. That a code does not exist is
// the primary's word alone, so a link that was just made is found whatever the others know; where the primary has been
// asked enough, a replica's word counts that has replayed all that the primary had when the question came. What the
// feed says was changed is dropped, and no replica is asked for it before it has replayed the change. When nothing
// below answers, an old copy is served; a deleted link never is. Thread: the loop's.
#pragma once

#include "app/links/cache.h"
#include "app/links/feed.h"
#include "app/links/recent_changes.h"
#include "app/links/stores.h"
#include "app/links/unreplayed.h"
#include "app/metrics.h"
#include "app/store/token_bucket.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace holdfast::app {

struct LookupSettings {
  double primary_rate = 5'000;  // codes a second that the primary is asked for because nobody else knew them
  double primary_burst = 10'000;
  bool replica_is_primary = false;  // there is no replica: what it says is the primary's word
  std::size_t under_way_max = 10'000;
  std::chrono::milliseconds proof_max{300};    // so long a look-up beyond the budget waits for a replica's proof
  std::chrono::milliseconds feed_live{1'000};  // a feed that said nothing for so long is not relied upon
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

class Lookup : public FeedUser, private SharedCache::Receiver {
 public:
  static constexpr std::size_t kBatchMax = 256;
  static constexpr std::size_t kFlightsMax = 2;  // to each tier: while one is answered the other is being looked for

  /// `shared` is null where there is no Redis.
  Lookup(Loop& loop, Timeouts& timeouts, const LookupSettings& settings, LinkCache& cache, SharedCache* shared,
         ReplicaDatabase& replicas, LinkDatabase& primary, AppCounters& counters);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  /// From now on there is a feed; `hurry` asks it to be read soon. Without one copies are dropped by their age alone.
  void expect_feed(std::function<void()> hurry);

  /// Whether what was changed up to a moment ago is known here.
  bool is_feed_live() const;

  /// Answers from memory, true; else false, and find() is to be used.
  bool find_now(std::string_view code, LookupAnswer& answer);
  /// Answers when the stores have spoken, perhaps from inside. One look-up of a code is under way at a time.
  void find(std::string_view code, std::unique_ptr<LookupWaiter> waiter);

  /// A writer of this loop changed or deleted it, and tells so before anybody else can: copies are dropped, what is
  /// under way is not kept, and no replica is asked for it until it has replayed that.
  void changed(std::string_view code);
  /// What is under way may have seen the old state, and must not be kept.
  void supersede(std::string_view code);
  /// Whether what a writer wants to put into a cache may be older than what others know: it was changed meanwhile, or
  /// may have been, for all that the feed has told.
  bool may_be_old(std::string_view code) const { return unreplayed_.is_changed(code) || !is_feed_live(); }

  void on_change(std::string_view code, bool is_deleted, std::uint64_t lsn) override;
  void on_caught_up(const FeedMark& mark) override;
  void on_past_change(std::string_view code, std::uint64_t lsn) override;
  void on_replayed(const FeedMark& mark) override;
  void on_new_history() override;
  /// A replica has got further.
  void on_replica_progress();

  std::size_t under_way() const { return by_code_.size(); }
  std::size_t unreplayed() const { return unreplayed_.size(); }

 private:
  //   Redis ──▶ Replica ──▶ Primary ──▶ done          (what is found ends it at once)
  //                            └──▶ Parked ──▶ Proving ──▶ done      (the primary was asked enough)
  enum class Stage : std::uint8_t { Redis, Replica, Primary, Parked, Proving };
  struct Pending {
    std::string code;
    std::vector<std::unique_ptr<LookupWaiter>> waiters;
    std::vector<std::unique_ptr<LookupWaiter>> late;  // came when the primary's word was under way already
    Stage stage = Stage::Redis;
    bool is_asked_last = false;  // the question whose "not found" counts is out
    bool replica_asked = false;
    bool replica_missed = false;  // a replica answered, and did not know it
    bool is_superseded = false;
    bool needs_a_row = false;  // a replica's "not found" would not be one: nobody says how far the primary is
    std::uint64_t began_ns = 0;
    std::uint64_t lsn_min = 0;  // how far a replica must be to be asked
    TimePoint parked_at{};
  };
  using Pendings = std::unordered_multimap<std::string_view, std::unique_ptr<Pending>>;

  /// Look-ups that travel together.
  struct Flight final : LinkDatabase::Receiver {
    void on_rows(Tier tier, Asked asked, std::span<const FoundLink> rows) override;
    Lookup* lookup = nullptr;
    std::vector<Pending*> pendings;  // empty: it is free
    bool is_current = false;         // the replica that was asked had all that is known of the primary
  };
  /// One tier's look-ups: few flights at a time, the next gathers meanwhile.
  struct Batch {
    std::vector<Pending*> gathering;
    std::array<Flight, kFlightsMax> flights;
    Flight* free_flight();
  };

  void on_cached(std::string_view code, Asked asked, const FoundLink& link, Proof proof) override;
  void on_landed(Flight& flight, Tier tier, Asked asked, std::span<const FoundLink> rows);

  Pending* live(std::string_view code);
  Pending& begin(std::string_view code);
  void ask_shared(Pending& pending);
  void ask_replica(Pending& pending);
  void ask_primary(Pending& pending, bool is_free);
  void begin_hearing(const FeedMark& mark);
  void forget_all();
  void park(Pending& pending);
  void wait_for_replica(Pending& pending);
  void prove_parked();
  void on_proof_late();
  void gather(Batch& batch, Pending& pending);
  void fly();
  void fly(Tier tier);
  bool fly_once(Tier tier);
  void refresh();
  void found(Pending& pending, Tier tier, const FoundLink& link, Proof proof);
  void not_found(Pending& pending, Tier tier);
  void unavailable(Pending& pending);
  void finish(Pending& pending, const LookupAnswer& answer, Source source);
  void count(Tier tier, Asked asked);

  Loop& loop_;
  LookupSettings settings_;
  LinkCache& cache_;
  SharedCache* shared_;
  ReplicaDatabase& replicas_;
  LinkDatabase& primary_;
  AppCounters& counters_;
  TimeoutClass& timeouts_;
  Timeout proof_late_;
  Batch on_replica_;
  Batch on_primary_;
  TokenBucket primary_budget_;
  Pendings by_code_;  // keys view the Pending's own codes; of one code all but one are superseded
  std::vector<Pending*> parked_;
  std::vector<std::string> refreshing_;  // copies that will soon be too old
  Unreplayed unreplayed_;
  RecentChanges recent_;
  std::function<void()> hurry_feed_;
  FeedMark mark_;
  std::uint64_t lsn_first_ = UINT64_MAX;  // of the first mark: whatever the feed will not tell as news lies below it
  bool was_caught_up_ = false;
  bool was_replayed_ = false;
  bool is_flying_soon_ = false;
};

}  // namespace holdfast::app
