// Requests a second of each server, between one look at its counters and the next.
// Thread: control.
#pragma once

#include "common/loop/loop.h"
#include "lb/pool/snapshot.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace holdfast::lb {

/// Attempts that were sent to it, since the start.
std::uint64_t requests_of(const Server& server);

class RequestRates {
 public:
  /// Nothing within a second of the last look; after more than ten it begins anew, since nobody wants the mean of so
  /// long a time.
  void look(const Snapshot& snapshot, TimePoint now);
  /// Nothing where it was not seen twice.
  std::optional<double> of(const ServerPool& pool, const Server& server) const;

 private:
  struct Seen {
    std::uint64_t requests = 0;
    std::optional<double> per_second;
  };

  std::map<std::string, Seen> seen_;  // by the names of pool and server
  TimePoint looked_{};
};

}  // namespace holdfast::lb
