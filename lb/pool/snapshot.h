// What one configuration makes: never changed, swapped whole at a reload. Servers that the next one names too live on
// in it, with their state and their counters.
// Thread: any.
#pragma once

#include "lb/pool/ledger.h"
#include "lb/pool/server.h"
#include "lb/routing/routes.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace holdfast::lb {

/// What the pool of requests that no route takes is called: it has no server, only counters. No other may be.
inline constexpr std::string_view kUnrouted = "unrouted";

struct Snapshot {
  Settings settings;
  std::vector<std::shared_ptr<ServerPool>> pools;
  std::shared_ptr<ServerPool> unrouted;
  std::vector<std::shared_ptr<ServerPool>> gone;  // earlier configurations' pools, newest first: they may come back
  Ledger forgotten;                               // what those counted that are kept no more
  RouteTable routes;                              // to the pools, by their place
};

/// What all pools have counted, those of earlier configurations too.
Ledger ledger_of(const Snapshot& snapshot);

/// Where `settings` name no route, all requests go to the first pool. `before` is what a reload replaces; servers that
/// stay are told of their new settings, so this is the moment from which it counts. Thread: control.
std::shared_ptr<const Snapshot> make_snapshot(const Settings& settings, std::size_t worker_count,
                                              const Snapshot* before = nullptr);

}  // namespace holdfast::lb
