#include "lb/pool/snapshot.h"

#include <algorithm>

namespace holdfast::lb {
namespace {

std::vector<Route> routes_of(const Settings& settings) {
  if (settings.routes.empty()) return {Route{}};
  std::vector<Route> routes;
  for (const RouteSettings& route : settings.routes) {
    for (std::size_t i = 0; i < settings.pools.size(); ++i) {
      if (settings.pools[i].name == route.pool) routes.push_back({.host = route.host, .path = route.path, .pool = i});
    }
  }
  return routes;
}

using Pools = std::vector<std::shared_ptr<ServerPool>>;

std::shared_ptr<ServerPool> take_named(Pools& pools, std::string_view name) {
  const auto found =
      std::find_if(pools.begin(), pools.end(), [name](const auto& pool) { return pool->name() == name; });
  if (found == pools.end()) return nullptr;
  std::shared_ptr<ServerPool> pool = *found;
  pools.erase(found);
  return pool;
}

}  // namespace

std::shared_ptr<const Snapshot> make_snapshot(const Settings& settings, std::size_t worker_count,
                                              const Snapshot* before) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->settings = settings;
  if (before != nullptr) {
    snapshot->gone = before->pools;
    snapshot->gone.insert(snapshot->gone.end(), before->gone.begin(), before->gone.end());
    snapshot->unrouted = before->unrouted;
  } else {
    PoolSettings unrouted;
    unrouted.name = kUnrouted;
    snapshot->unrouted = std::make_shared<ServerPool>(unrouted, worker_count);
  }
  for (const PoolSettings& pool : settings.pools) {
    const auto its_past = take_named(snapshot->gone, pool.name);
    snapshot->pools.push_back(std::make_shared<ServerPool>(pool, worker_count, its_past.get()));
  }
  snapshot->routes = RouteTable(routes_of(settings));
  return snapshot;
}

}  // namespace holdfast::lb
