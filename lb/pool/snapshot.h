// What one configuration makes: never changed, swapped whole at a reload.
// Thread: any.
#pragma once

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
  RouteTable routes;  // to the pools, by their place
};

/// Where `settings` name no route, all requests go to the first pool.
std::shared_ptr<const Snapshot> make_snapshot(const Settings& settings, std::size_t worker_count);

}  // namespace holdfast::lb
