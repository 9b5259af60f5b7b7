#include "app/links/lookup.h"

#include "app/links/link.h"
#include "app/store/breaker.h"
#include "common/assert.h"

#include <uv.h>
#include <algorithm>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

/// A copy whose renewal failed is tried again after this, as long as it is asked for.
constexpr auto kRefreshAgain = 1s;

}  // namespace

std::string_view name_of(Source source) {
  switch (source) {
    case Source::Cache:
      return "cache";
    case Source::Redis:
      return "redis";
    case Source::Replica:
      return "replica";
    case Source::Primary:
      return "primary";
    case Source::Stale:
      return "stale";
    case Source::None:
      return "none";
  }
  return "unknown";
}

std::string_view name_of(Tier tier) {
  switch (tier) {
    case Tier::Memory:
      return "l1";
    case Tier::Redis:
      return "redis";
    case Tier::Replica:
      return "replica";
    case Tier::Primary:
      return "primary";
  }
  return "unknown";
}

std::string_view name_of(Asked asked) {
  switch (asked) {
    case Asked::Hit:
      return "hit";
    case Asked::Miss:
      return "miss";
    case Asked::Error:
      return "error";
    case Asked::Timeout:
      return "timeout";
    case Asked::Skipped:
      return "skipped";
  }
  return "unknown";
}

Lookup::Lookup(Loop& loop, Timeouts& timeouts, const LookupSettings& settings, LinkCache& cache, SharedCache* shared,
               ReplicaDatabase& replicas, LinkDatabase& primary, AppCounters& counters)
    : loop_(loop),
      settings_(settings),
      cache_(cache),
      shared_(shared),
      replicas_(replicas),
      primary_(primary),
      counters_(counters),
      timeouts_(timeouts.add_class()),
      proof_late_(Timeout::calling<&Lookup::on_proof_late>(this)),
      primary_budget_(settings.primary_rate, settings.primary_burst) {
  for (Batch* batch : {&on_replica_, &on_primary_}) {
    for (Flight& flight : batch->flights) flight.lookup = this;
  }
}

Lookup::~Lookup() = default;

void Lookup::expect_feed(std::function<void()> hurry) { hurry_feed_ = std::move(hurry); }

void Lookup::count(Tier tier, Asked asked) {
  counters_.lookups[static_cast<std::size_t>(tier)][static_cast<std::size_t>(asked)].add();
}

bool Lookup::is_feed_live() const {
  return hurry_feed_ == nullptr || (was_caught_up_ && loop_.now() - mark_.asked_at <= settings_.feed_live);
}

bool Lookup::find_now(std::string_view code, LookupAnswer& answer) {
  const TimePoint now = loop_.now();
  CacheEntry* entry = cache_.find(code, now);
  const bool is_fresh = entry != nullptr && LinkCache::is_fresh(*entry, now);
  // Without the feed a change is not heard of; Redis has it, if it was there when it happened.
  const bool is_blind = is_fresh && !entry->is_deleted && now - entry->filled_at > settings_.feed_live &&
                        shared_ != nullptr && !is_feed_live() && shared_->is_available();
  if (!is_fresh || is_blind) {
    count(Tier::Memory, Asked::Miss);
    return false;
  }
  count(Tier::Memory, Asked::Hit);
  counters_.resolved[static_cast<std::size_t>(Source::Cache)].add();
  answer.outcome = entry->is_deleted ? Outcome::Deleted : Outcome::Found;
  answer.target = entry->target;
  if (now >= entry->refresh_at) {
    entry->refresh_at = now + kRefreshAgain;
    if (refreshing_.empty()) loop_.defer(this, [](void* self) { static_cast<Lookup*>(self)->refresh(); });
    refreshing_.emplace_back(code);
  }
  return true;
}

/// Copies that are asked for are looked up anew shortly before they are too old, so that nobody waits for it.
void Lookup::refresh() {
  for (const std::string& code : std::exchange(refreshing_, {})) {
    if (live(code) == nullptr && by_code_.size() < settings_.under_way_max) ask_shared(begin(code));
  }
}

Lookup::Pending* Lookup::live(std::string_view code) {
  const auto [first, last] = by_code_.equal_range(code);
  const auto found = std::find_if(first, last, [](const auto& each) { return !each.second->is_superseded; });
  return found == last ? nullptr : found->second.get();
}

Lookup::Pending& Lookup::begin(std::string_view code) {
  auto made = std::make_unique<Pending>();
  Pending& pending = *made;
  pending.code = code;
  pending.began_ns = uv_hrtime();
  by_code_.emplace(pending.code, std::move(made));
  return pending;
}

void Lookup::find(std::string_view code, std::unique_ptr<LookupWaiter> waiter) {
  if (Pending* known = live(code)) {
    // Whoever comes after the last question was asked may know of a link that was made after it.
    (known->is_asked_last ? known->late : known->waiters).push_back(std::move(waiter));
    return;
  }
  if (by_code_.size() >= settings_.under_way_max) {
    return waiter->on_looked_up({.outcome = Outcome::Unavailable, .target = {}});
  }
  Pending& pending = begin(code);
  pending.waiters.push_back(std::move(waiter));
  ask_shared(pending);
}

void Lookup::ask_shared(Pending& pending) {
  if (shared_ == nullptr) return ask_replica(pending);
  if (!recent_.has(pending.code, loop_.now()) && shared_->ask(pending.code, *this)) return;
  count(Tier::Redis, Asked::Skipped);
  ask_replica(pending);
}

void Lookup::supersede(std::string_view code) {
  if (Pending* known = live(code)) known->is_superseded = true;
}

void Lookup::changed(std::string_view code) {
  supersede(code);
  cache_.forget(code);
  unreplayed_.add_unplaced(code);
  recent_.add(code, loop_.now());
}

void Lookup::on_change(std::string_view code, bool is_deleted, std::uint64_t lsn) {
  supersede(code);
  counters_[AppCounter::FeedChanges].add();
  if (is_deleted && cache_.find(code, loop_.now()) != nullptr) {
    cache_.bury(code, loop_.now(), random_share());
  } else {
    cache_.forget(code);
  }
  unreplayed_.add(code, lsn);
  recent_.add(code, loop_.now());
}

/// Until the first replay is over, that is: then all of it is known.
void Lookup::on_past_change(std::string_view code, std::uint64_t lsn) {
  if (was_replayed_) return;
  supersede(code);
  cache_.forget(code);
  unreplayed_.add(code, lsn);
  recent_.add(code, loop_.now());
}

void Lookup::on_replayed(const FeedMark&) { was_replayed_ = true; }

void Lookup::on_caught_up(const FeedMark& mark) {
  mark_ = mark;
  if (!was_caught_up_) begin_hearing(mark);
  unreplayed_.placed(mark.lsn);
  for (Pending* pending : parked_) {
    if (pending->lsn_min == 0 && pending->parked_at < mark.asked_at) pending->lsn_min = mark.lsn;
  }
  prove_parked();
}

/// News begin here. What was seen before may have been changed since, and that is told with all the past, which may
/// take long.
void Lookup::begin_hearing(const FeedMark& mark) {
  was_caught_up_ = true;
  lsn_first_ = mark.lsn;
  forget_all();
}

void Lookup::on_new_history() {
  forget_all();
  unreplayed_.clear();
  lsn_first_ = UINT64_MAX;
  was_caught_up_ = was_replayed_ = false;
}

/// Nor is an answer kept that is under way.
void Lookup::forget_all() {
  cache_.forget_all();
  for (const auto& [code, pending] : by_code_) pending->is_superseded = true;
}

void Lookup::on_replica_progress() {
  unreplayed_.replayed(replicas_.replayed_by_all());
  prove_parked();
}

/// Redis answers in order, so of several look-ups of a code the older one, which is superseded, comes first.
void Lookup::on_cached(std::string_view code, Asked asked, const FoundLink& link, Proof proof) {
  const auto [first, last] = by_code_.equal_range(code);
  Pending* pending = nullptr;
  for (auto at = first; at != last; ++at) {
    if (at->second->stage != Stage::Redis) continue;
    if (pending == nullptr || at->second->began_ns < pending->began_ns) pending = at->second.get();
  }
  if (pending == nullptr) return;
  count(Tier::Redis, asked);
  if (asked == Asked::Hit) return found(*pending, Tier::Redis, link, proof);
  ask_replica(*pending);
}

void Lookup::ask_replica(Pending& pending) {
  pending.stage = Stage::Replica;
  pending.lsn_min = unreplayed_.needed_for(pending.code);
  // Before the feed was replayed once, nobody knows what a replica does not know that is behind its first mark.
  const bool is_trusted =
      hurry_feed_ == nullptr || was_replayed_ || replicas_.replayed() >= lsn_first_ || !primary_.is_available();
  if (is_trusted && replicas_.is_available() && replicas_.replayed() >= pending.lsn_min) {
    pending.replica_asked = true;
    return gather(on_replica_, pending);
  }
  count(Tier::Replica, Asked::Skipped);
  ask_primary(pending, unreplayed_.is_changed(pending.code));
}

/// `is_free`: a link that is known to be, so no scan can be at it.
void Lookup::ask_primary(Pending& pending, bool is_free) {
  pending.stage = Stage::Primary;
  if (!primary_.is_available()) {
    count(Tier::Primary, Asked::Skipped);
    return wait_for_replica(pending);
  }
  if (!is_free && !primary_budget_.take(loop_.now())) return park(pending);
  gather(on_primary_, pending);
}

void Lookup::park(Pending& pending) {
  counters_[AppCounter::PrimaryFallbackParked].add();
  pending.stage = Stage::Parked;
  pending.parked_at = loop_.now();
  pending.lsn_min = 0;
  pending.is_asked_last = true;
  parked_.push_back(&pending);
  if (!proof_late_.is_armed()) timeouts_.arm(proof_late_, settings_.proof_max);
  if (hurry_feed_ != nullptr) hurry_feed_();
}

/// The primary cannot tell. A replica that was behind when it was last asked how far it is may be far enough by now;
/// and one that was passed over, because the primary was there and the feed not read yet, is now the best word there
/// is.
void Lookup::wait_for_replica(Pending& pending) {
  const std::uint64_t needed = unreplayed_.needed_for(pending.code);
  const bool is_behind = replicas_.replayed() < needed;
  const bool may_help = !pending.replica_missed && replicas_.is_available() && needed != UINT64_MAX &&
                        (is_behind || !pending.replica_asked) && cache_.find(pending.code, loop_.now()) == nullptr;
  if (!may_help) return unavailable(pending);
  pending.lsn_min = needed;
  pending.needs_a_row = true;
  if (!is_behind) {
    pending.replica_asked = true;
    pending.stage = Stage::Proving;
    return gather(on_replica_, pending);
  }
  pending.stage = Stage::Parked;
  pending.parked_at = loop_.now();
  parked_.push_back(&pending);
  if (!proof_late_.is_armed()) timeouts_.arm(proof_late_, settings_.proof_max);
  replicas_.hurry();
}

/// Of what waits, those for which a replica has replayed enough are asked of it.
void Lookup::prove_parked() {
  const std::uint64_t replayed = replicas_.replayed();
  bool waits = false;
  for (Pending*& pending : parked_) {
    if (pending->lsn_min == 0) continue;
    if (!replicas_.is_available() || replayed < pending->lsn_min) {
      waits = true;
      continue;
    }
    pending->stage = Stage::Proving;
    gather(on_replica_, *std::exchange(pending, nullptr));
  }
  std::erase(parked_, nullptr);
  if (waits) replicas_.hurry();
}

void Lookup::on_proof_late() {
  const std::vector<Pending*> parked = parked_;
  const TimePoint limit = loop_.now() - settings_.proof_max;
  for (Pending* pending : parked) {
    if (pending->parked_at > limit) {
      timeouts_.arm(proof_late_, pending->parked_at - limit);
      break;  // they stand in the order in which they came
    }
    parked_.erase(std::find(parked_.begin(), parked_.end(), pending));
    counters_[AppCounter::PrimaryFallbackRejected].add();
    unavailable(*pending);
  }
}

/// What one turn of the loop asks for goes out together at its end.
void Lookup::gather(Batch& batch, Pending& pending) {
  batch.gathering.push_back(&pending);
  if (is_flying_soon_ || batch.free_flight() == nullptr) return;
  is_flying_soon_ = true;
  loop_.defer(this, [](void* self) { static_cast<Lookup*>(self)->fly(); });
}

void Lookup::fly() {
  is_flying_soon_ = false;
  fly(Tier::Replica);
  fly(Tier::Primary);
}

Lookup::Flight* Lookup::Batch::free_flight() {
  const auto free =
      std::find_if(flights.begin(), flights.end(), [](const Flight& each) { return each.pendings.empty(); });
  return free == flights.end() ? nullptr : &*free;
}

void Lookup::fly(Tier tier) {
  while (fly_once(tier)) {
  }
}

bool Lookup::fly_once(Tier tier) {
  Batch& batch = tier == Tier::Replica ? on_replica_ : on_primary_;
  Flight* flight = batch.free_flight();
  if (flight == nullptr || batch.gathering.empty()) return false;
  const std::size_t size = std::min(batch.gathering.size(), kBatchMax);
  const auto end = batch.gathering.begin() + static_cast<std::ptrdiff_t>(size);
  flight->pendings.assign(batch.gathering.begin(), end);
  batch.gathering.erase(batch.gathering.begin(), end);
  std::vector<std::string_view> codes;
  codes.reserve(size);
  std::uint64_t lsn_min = 0;
  for (Pending* pending : flight->pendings) {
    codes.emplace_back(pending->code);
    lsn_min = std::max(lsn_min, pending->lsn_min);
    if (tier == Tier::Primary || settings_.replica_is_primary) pending->is_asked_last = true;
  }
  if (tier == Tier::Primary) {
    primary_.ask(codes, *flight);
  } else {
    flight->is_current = is_feed_live() && replicas_.replayed() >= mark_.lsn && mark_.lsn != 0;
    replicas_.ask(codes, lsn_min, *flight);
  }
  return true;
}

void Lookup::Flight::on_rows(Tier tier, Asked asked, std::span<const FoundLink> rows) {
  lookup->on_landed(*this, tier, asked, rows);
}

void Lookup::on_landed(Flight& flight, Tier tier, Asked asked, std::span<const FoundLink> rows) {
  const std::vector<Pending*> landed = std::exchange(flight.pendings, {});
  const bool is_truth = tier == Tier::Primary || settings_.replica_is_primary;
  const Proof proof = is_truth || flight.is_current ? Proof::Proven : Proof::Unproven;
  for (Pending* pending : landed) {
    const bool is_proving = pending->stage == Stage::Proving;
    if (asked != Asked::Hit) {
      count(tier, asked);
      if (tier == Tier::Primary) {
        wait_for_replica(*pending);
      } else if (is_proving) {
        unavailable(*pending);
      } else {
        ask_primary(*pending, unreplayed_.is_changed(pending->code));
      }
      continue;
    }
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const FoundLink& each) { return each.code == pending->code; });
    count(tier, row == rows.end() ? Asked::Miss : Asked::Hit);
    // A change may have been heard of while the replica was being asked: then what it says may be old.
    const bool is_outdated =
        tier == Tier::Replica && !is_truth && unreplayed_.needed_for(pending->code) > replicas_.replayed();
    if (is_outdated) {
      ask_primary(*pending, true);
    } else if (row != rows.end()) {
      found(*pending, tier, *row, proof);
    } else if (is_proving && pending->needs_a_row) {
      unavailable(*pending);
    } else if (is_truth || is_proving) {
      not_found(*pending, tier);
    } else {
      pending->replica_missed = true;
      ask_primary(*pending, false);
    }
  }
  fly(tier);
}

void Lookup::found(Pending& pending, Tier tier, const FoundLink& link, Proof proof) {
  const TimePoint now = loop_.now();
  const auto source = static_cast<Source>(tier);
  if (link.is_deleted) {
    if (!pending.is_superseded) cache_.bury(pending.code, now, random_share());
    if (shared_ != nullptr && tier != Tier::Redis) shared_->bury(pending.code, nullptr);
    return finish(pending, {.outcome = Outcome::Deleted, .target = {}}, source);
  }
  if (!is_safe_target(link.target)) {  // by an import, by hand: it must not become part of a head
    counters_[AppCounter::BadTargets].add();
    if (tier == Tier::Redis) return ask_replica(pending);
    return finish(pending, {.outcome = Outcome::Unavailable, .target = {}}, Source::None);
  }
  if (pending.replica_missed) counters_[AppCounter::Rescued].add();
  if (!pending.is_superseded) {
    cache_.fill(pending.code, link.target, proof, now, random_share());
    // Who has not heard lately what was changed leaves nothing for others.
    if (shared_ != nullptr && tier != Tier::Redis && is_feed_live()) shared_->fill(pending.code, link.target, proof);
  }
  finish(pending, {.outcome = Outcome::Found, .target = link.target}, source);
}

/// Those who came after the question was asked are looked up for once more.
void Lookup::not_found(Pending& pending, Tier tier) {
  if (!pending.is_superseded) cache_.forget(pending.code);
  std::vector<std::unique_ptr<LookupWaiter>> late = std::exchange(pending.late, {});
  const std::string code = pending.code;
  finish(pending, {.outcome = Outcome::NotFound, .target = {}}, static_cast<Source>(tier));
  for (auto& waiter : late) find(code, std::move(waiter));
}

/// Nobody below could tell. An old copy is better than none; of a deleted link the copy says that it is deleted.
void Lookup::unavailable(Pending& pending) {
  const CacheEntry* entry = cache_.find(pending.code, loop_.now());
  if (entry == nullptr) return finish(pending, {.outcome = Outcome::Unavailable, .target = {}}, Source::None);
  if (entry->is_deleted) return finish(pending, {.outcome = Outcome::Deleted, .target = {}}, Source::Stale);
  if (!pending.waiters.empty()) counters_[AppCounter::StaleServed].add();
  const std::string target = entry->target;  // a waiter may change the cache
  finish(pending, {.outcome = Outcome::Found, .target = target}, Source::Stale);
}

void Lookup::finish(Pending& pending, const LookupAnswer& answer, Source source) {
  const auto [first, last] = by_code_.equal_range(pending.code);
  const auto known = std::find_if(first, last, [&](const auto& each) { return each.second.get() == &pending; });
  HF_ASSERT(known != last);
  const std::unique_ptr<Pending> owned = std::move(known->second);
  by_code_.erase(known);
  const std::size_t at = static_cast<std::size_t>(source);
  counters_.resolved[at].add(owned->waiters.size() + owned->late.size());
  counters_.resolve_duration[at].add(std::chrono::nanoseconds(uv_hrtime() - owned->began_ns));
  for (const auto& waiter : owned->waiters) waiter->on_looked_up(answer);
  for (const auto& waiter : owned->late) waiter->on_looked_up(answer);
}

}  // namespace holdfast::app
