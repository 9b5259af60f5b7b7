// The ledger: every request that was started has ended in exactly one way, or is in flight. Metrics, admin port and the
// last line of the log say the same numbers.
// Thread: any.
#pragma once

#include "lb/pool/server.h"

#include <array>
#include <cstdint>
#include <string>

namespace holdfast::lb {

struct Ledger {
  std::uint64_t started = 0;
  std::int64_t in_flight = 0;
  std::array<std::uint64_t, kOutcomes.size()> outcomes{};
  std::uint64_t saved = 0;  // answered by a later attempt than the first

  std::uint64_t of(Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t ended() const;
  /// Requests that are neither ended nor in flight: 0, or a count is wrong.
  std::int64_t imbalance() const;
  Ledger& operator+=(const Ledger& other);
  /// "1204331 requests, 0 cut, 0 local errors, 41 saved by retry"
  std::string text() const;
};

/// One worker's. It may count meanwhile: what is read belongs together all the same.
Ledger ledger_of(const PoolCounters& counters);
Ledger ledger_of(const ServerPool& pool);

}  // namespace holdfast::lb
