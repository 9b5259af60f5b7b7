#include "app/links/lookup.h"

#include "app/links/link.h"
#include "app/store/breaker.h"
#include "common/assert.h"

#include <algorithm>
#include <utility>

namespace holdfast::app {

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

bool TokenBucket::take(TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - filled_at_).count();
  tokens_ = std::min(burst_, tokens_ + seconds * rate_);
  filled_at_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

Lookup::Lookup(Loop& loop, const LookupSettings& settings, LinkCache& cache, SharedCache* shared, LinkDatabase& replica,
               LinkDatabase& primary, AppCounters& counters)
    : loop_(loop),
      settings_(settings),
      cache_(cache),
      shared_(shared),
      counters_(counters),
      replica_{replica, {}, {}},
      primary_{primary, {}, {}},
      primary_budget_(settings.primary_rate, settings.primary_burst) {}

Lookup::~Lookup() = default;

void Lookup::count(Tier tier, Asked asked) {
  counters_.lookups[static_cast<std::size_t>(tier)][static_cast<std::size_t>(asked)].add();
}

bool Lookup::find_now(std::string_view code, LookupAnswer& answer) {
  const CacheEntry* entry = cache_.find(code, loop_.now());
  if (entry == nullptr || !LinkCache::is_fresh(*entry, loop_.now())) {
    count(Tier::Memory, Asked::Miss);
    return false;
  }
  count(Tier::Memory, Asked::Hit);
  answer.outcome = entry->is_deleted ? Outcome::Deleted : Outcome::Found;
  answer.target = entry->target;
  return true;
}

void Lookup::find(std::string_view code, std::unique_ptr<LookupWaiter> waiter) {
  const auto known = by_code_.find(code);
  if (known != by_code_.end() && !known->second->is_superseded) {
    known->second->waiters.push_back(std::move(waiter));
    return;
  }
  if (by_code_.size() >= settings_.under_way_max || known != by_code_.end()) {
    // Too many at once; or one whose look-up began before a change: it is told the new state by the next try.
    waiter->on_looked_up({.outcome = Outcome::Unavailable, .target = {}});
    return;
  }
  auto made = std::make_unique<Pending>();
  Pending& pending = *made;
  pending.code = code;
  pending.waiters.push_back(std::move(waiter));
  by_code_.emplace(pending.code, std::move(made));
  if (shared_ == nullptr) return ask_replica(pending);
  if (shared_->ask(pending.code, *this)) return;
  count(Tier::Redis, Asked::Skipped);
  ask_replica(pending);
}

void Lookup::supersede(std::string_view code) {
  const auto known = by_code_.find(code);
  if (known != by_code_.end()) known->second->is_superseded = true;
}

void Lookup::on_cached(std::string_view code, Asked asked, const FoundLink& link, Proof proof) {
  const auto known = by_code_.find(code);
  if (known == by_code_.end()) return;
  count(Tier::Redis, asked);
  if (asked == Asked::Hit) return found(*known->second, Tier::Redis, link, proof);
  ask_replica(*known->second);
}

void Lookup::ask_replica(Pending& pending) {
  if (replica_.database.is_available()) return gather(replica_, pending);
  count(Tier::Replica, Asked::Skipped);
  ask_primary(pending);
}

void Lookup::ask_primary(Pending& pending) {
  if (!primary_.database.is_available()) {
    count(Tier::Primary, Asked::Skipped);
    return unavailable(pending);
  }
  if (!primary_budget_.take(loop_.now())) {
    counters_[AppCounter::PrimaryFallbackRejected].add();
    return unavailable(pending);
  }
  gather(primary_, pending);
}

/// What one turn of the loop asks for goes out together at its end.
void Lookup::gather(Batch& batch, Pending& pending) {
  batch.gathering.push_back(&pending);
  if (is_flying_soon_ || !batch.in_flight.empty()) return;
  is_flying_soon_ = true;
  loop_.defer(this, [](void* self) { static_cast<Lookup*>(self)->fly(); });
}

void Lookup::fly() {
  is_flying_soon_ = false;
  fly(replica_);
  fly(primary_);
}

void Lookup::fly(Batch& batch) {
  if (!batch.in_flight.empty() || batch.gathering.empty()) return;
  const std::size_t size = std::min(batch.gathering.size(), kBatchMax);
  const auto end = batch.gathering.begin() + static_cast<std::ptrdiff_t>(size);
  batch.in_flight.assign(batch.gathering.begin(), end);
  batch.gathering.erase(batch.gathering.begin(), end);
  std::vector<std::string_view> codes;
  codes.reserve(size);
  for (const Pending* pending : batch.in_flight) codes.emplace_back(pending->code);
  batch.database.ask(codes, *this);
}

void Lookup::on_rows(Tier tier, Asked asked, std::span<const FoundLink> rows) {
  Batch& batch = tier == Tier::Replica ? replica_ : primary_;
  const std::vector<Pending*> landed = std::exchange(batch.in_flight, {});
  const bool is_proven = tier == Tier::Primary || settings_.replica_is_primary;
  for (Pending* pending : landed) {
    if (asked != Asked::Hit) {
      count(tier, asked);
      tier == Tier::Replica ? ask_primary(*pending) : unavailable(*pending);
      continue;
    }
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const FoundLink& each) { return each.code == pending->code; });
    count(tier, row == rows.end() ? Asked::Miss : Asked::Hit);
    if (row != rows.end()) {
      found(*pending, tier, *row, is_proven ? Proof::Proven : Proof::Unproven);
    } else if (is_proven) {
      not_found(*pending);
    } else {
      pending->replica_missed = true;
      ask_primary(*pending);
    }
  }
  fly(batch);
}

void Lookup::found(Pending& pending, Tier tier, const FoundLink& link, Proof proof) {
  const TimePoint now = loop_.now();
  if (link.is_deleted) {
    if (!pending.is_superseded) cache_.bury(pending.code, now, random_share());
    if (shared_ != nullptr && tier != Tier::Redis) shared_->bury(pending.code, [] {});
    return finish(pending, {.outcome = Outcome::Deleted, .target = {}});
  }
  if (!is_safe_target(link.target)) {  // by an import, by hand: it must not become part of a head
    counters_[AppCounter::BadTargets].add();
    if (tier == Tier::Redis) return ask_replica(pending);
    return finish(pending, {.outcome = Outcome::Unavailable, .target = {}});
  }
  if (pending.replica_missed) counters_[AppCounter::Rescued].add();
  if (!pending.is_superseded) {
    cache_.fill(pending.code, link.target, proof, now, random_share());
    if (shared_ != nullptr && tier != Tier::Redis) shared_->fill(pending.code, link.target, proof);
  }
  finish(pending, {.outcome = Outcome::Found, .target = link.target});
}

void Lookup::not_found(Pending& pending) {
  if (!pending.is_superseded) cache_.forget(pending.code);
  finish(pending, {.outcome = Outcome::NotFound, .target = {}});
}

/// Nobody below could tell. An old copy is better than none; of a deleted link the copy says that it is deleted.
void Lookup::unavailable(Pending& pending) {
  const CacheEntry* entry = cache_.find(pending.code, loop_.now());
  if (entry == nullptr) return finish(pending, {.outcome = Outcome::Unavailable, .target = {}});
  if (entry->is_deleted) return finish(pending, {.outcome = Outcome::Deleted, .target = {}});
  counters_[AppCounter::StaleServed].add();
  finish(pending, {.outcome = Outcome::Found, .target = entry->target});
}

void Lookup::finish(Pending& pending, const LookupAnswer& answer) {
  const auto known = by_code_.find(pending.code);
  HF_ASSERT(known != by_code_.end() && known->second.get() == &pending);
  const std::unique_ptr<Pending> owned = std::move(known->second);
  by_code_.erase(known);
  for (const auto& waiter : owned->waiters) waiter->on_looked_up(answer);
}

}  // namespace holdfast::app
