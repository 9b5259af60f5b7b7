#include "lb/pool/ledger.h"

#include <fmt/format.h>
#include <atomic>
#include <numeric>

namespace holdfast::lb {
namespace {

/// A reading is given up after so many changes under its hands: that busy a worker is not waited for.
constexpr int kReadings = 1'000;

Ledger read(const PoolCounters& counters) {
  Ledger ledger;
  ledger.started = counters.requests.value();
  ledger.in_flight = counters.in_flight.value();
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) ledger.outcomes[i] = counters.outcomes[i].value();
  ledger.saved = counters.retry_successes.value();
  return ledger;
}

bool is_same(const Ledger& one, const Ledger& other) {
  return one.started == other.started && one.in_flight == other.in_flight && one.outcomes == other.outcomes;
}

}  // namespace

std::uint64_t Ledger::ended() const { return std::accumulate(outcomes.begin(), outcomes.end(), std::uint64_t{0}); }

std::int64_t Ledger::imbalance() const {
  return static_cast<std::int64_t>(started) - static_cast<std::int64_t>(ended()) - in_flight;
}

Ledger& Ledger::operator+=(const Ledger& other) {
  started += other.started;
  in_flight += other.in_flight;
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
  saved += other.saved;
  return *this;
}

std::string Ledger::text() const {
  return fmt::format("{} requests, {} cut, {} local errors, {} saved by retry", started, of(Outcome::Cut),
                     of(Outcome::LocalError), saved);
}

Ledger ledger_of(const PoolCounters& counters) {
  Ledger last = read(counters);
  for (int i = 0; i < kReadings; ++i) {
    std::atomic_thread_fence(std::memory_order_acquire);
    const Ledger next = read(counters);
    if (is_same(last, next)) break;
    last = next;
  }
  return last;
}

Ledger ledger_of(const ServerPool& pool) {
  Ledger all;
  for (const auto& counters : pool.counters()) all += ledger_of(*counters);
  return all;
}

}  // namespace holdfast::lb
