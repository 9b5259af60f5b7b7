#include "lb/pool/snapshot.h"

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

}  // namespace

std::shared_ptr<const Snapshot> make_snapshot(const Settings& settings, std::size_t worker_count) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->settings = settings;
  for (const PoolSettings& pool : settings.pools) {
    snapshot->pools.push_back(std::make_shared<ServerPool>(pool, worker_count));
  }
  PoolSettings unrouted;
  unrouted.name = kUnrouted;
  snapshot->unrouted = std::make_shared<ServerPool>(unrouted, worker_count);
  snapshot->routes = RouteTable(routes_of(settings));
  return snapshot;
}

}  // namespace holdfast::lb
