// What the shortener counts: one table; the loop alone writes, the scrape reads.
#pragma once

#include "common/metrics/counter.h"
#include "common/metrics/histogram.h"
#include "common/metrics/registry.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::app {

enum class AppCounter : std::uint8_t {
  Rescued,
  StaleServed,
  PrimaryFallbackParked,
  PrimaryFallbackRejected,
  FeedChanges,
  BadTargets,
  CodeCollisions,
  IdempotencyFresh,
  IdempotencyReplays,
  IdempotencyMismatches,
  RedisWritesMissed,
  Last = RedisWritesMissed,
};

struct AppCounterInfo {
  AppCounter id;
  std::string_view name;
  std::string_view help;
};

inline constexpr std::array<AppCounterInfo, static_cast<std::size_t>(AppCounter::Last) + 1> kAppCounters{{
    {AppCounter::Rescued, "shortener_ryw_rescued_total",
     "Links that the replica did not know yet and the primary did."},
    {AppCounter::StaleServed, "shortener_stale_served_total", "Redirects from an old copy, every store being away."},
    {AppCounter::PrimaryFallbackParked, "shortener_primary_fallback_parked_total",
     "Look-ups beyond the primary's budget, which waited for a replica's proof."},
    {AppCounter::PrimaryFallbackRejected, "shortener_primary_fallback_rejected_total",
     "Look-ups answered 503 because the primary's budget was spent and no replica's proof came in time."},
    {AppCounter::FeedChanges, "shortener_feed_changes_total", "Changes and deletions that the feed told."},
    {AppCounter::BadTargets, "shortener_bad_targets_total",
     "Targets found in a store that must not become a Location."},
    {AppCounter::CodeCollisions, "shortener_code_collisions_total", "Random codes that were taken already."},
    {AppCounter::IdempotencyFresh, "shortener_idempotency_fresh_total", "Creates with a key that was new."},
    {AppCounter::IdempotencyReplays, "shortener_idempotency_replays_total",
     "Creates answered with the first response."},
    {AppCounter::IdempotencyMismatches, "shortener_idempotency_mismatches_total",
     "Creates whose key was used for something else."},
    {AppCounter::RedisWritesMissed, "shortener_redis_writes_missed_total", "Writes that Redis was away for."},
}};

constexpr bool stand_at_their_index() {
  for (std::size_t i = 0; i < kAppCounters.size(); ++i) {
    if (static_cast<std::size_t>(kAppCounters[i].id) != i) return false;
  }
  return true;
}
static_assert(stand_at_their_index(), "row n describes counter n");

/// The routes, as labels: no code and no URL ever is one.
enum class Route : std::uint8_t {
  Redirect,
  Links,  // the collection: list and create
  Bulk,
  Link,  // one link: read, change, delete
  Statistics,
  Qr,
  Health,
  Ready,
  Metrics,
  Page,  // what a browser shows: the page itself and what belongs to it
  Other,
  Last = Other
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Route::Last) + 1> kRouteNames{
    "redirect", "links", "bulk", "link", "stats", "qr", "health", "ready", "metrics", "page", "other"};

inline constexpr std::size_t kTiers = 4;
inline constexpr std::size_t kAskedWays = 5;
inline constexpr std::size_t kSources = 6;

struct AppCounters {
  std::array<Counter, kAppCounters.size()> plain;
  std::array<std::array<Counter, 600>, kRouteNames.size()> responses;  // by route and status
  std::array<Histogram, kRouteNames.size()> duration;
  std::array<std::array<Counter, kAskedWays>, kTiers> lookups;
  std::array<Counter, kSources> resolved;
  std::array<Histogram, kSources> resolve_duration;

  Counter& operator[](AppCounter counter) { return plain[static_cast<std::size_t>(counter)]; }
};

void collect_counters(const AppCounters& counters, Scrape& scrape);

}  // namespace holdfast::app
