// What lb counts: each worker has its own of each and alone writes it; the scrape sums them (lb/admin/metrics).
#pragma once

#include "common/metrics/counter.h"
#include "common/metrics/histogram.h"
#include "lb/reasons.h"

#include <array>

namespace holdfast::lb {

/// By hundreds, 1xx to 5xx.
inline constexpr std::size_t kCodeClasses = 5;

/// One server, seen by one worker.
struct alignas(64) ServerCounters {
  Counter requests;  // attempts that got a connection and began to send
  Gauge in_flight;
  Gauge awaited;           // requests sent, whose response has not begun
  Gauge awaited_since_ms;  // of the loops' clock: when awaited was last 0
  Gauge heard_ms;          // likewise: when the last byte came
  std::array<Counter, kCodeClasses> responses;
  std::array<Counter, kAttemptResults.size()> attempts;
  Counter connections_opened;
  Counter connections_reused;
  Gauge connections_active;
  Gauge connections_idle;
  Counter said_draining;   // responses with Lb-Drain: 1
  Counter bad_statuses;    // responses with a status of passive.statuses
  Counter slow_responses;  // responses that took longer than passive.latency
  Histogram first_byte;
};

/// One pool, seen by one worker.
struct alignas(64) PoolCounters {
  Counter requests;                    // heads read whole and given to this pool
  std::array<Counter, 600> responses;  // to clients, by status
  std::array<Counter, kOutcomes.size()> outcomes;
  std::array<Counter, kLocalErrors.size()> local_errors;
  std::array<Counter, kAttemptResults.size()> retries;  // by how the attempt before ended
  Counter retry_successes;
  Counter retries_delayed;  // for want of budget
  Gauge retry_budget;
  Counter hedges;
  Counter hedge_wins;
  Counter hedges_withheld;  // for hedge.max
  Counter keys_assigned;
  Gauge in_flight;
  Gauge tunnels;
  Gauge queued;
  Counter queued_total;
  Counter responses_held;
  Counter responses_streamed;
  std::array<Histogram, kCodeClasses> duration;
};

/// The clients' side of one worker.
struct alignas(64) WorkerCounters {
  Counter connections_total;
  Gauge connections;
  std::array<Counter, kRejections.size()> rejected;
  std::array<Counter, kClientTimeouts.size()> timeouts;
  std::array<Counter, kShortages.size()> pauses;  // of the listener
  Counter idle_evicted;                           // idle clients closed to make room for others
};

}  // namespace holdfast::lb
