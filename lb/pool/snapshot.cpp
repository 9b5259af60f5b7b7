#include "lb/pool/snapshot.h"

#include <algorithm>
#include <atomic>

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

/// So many pools that a reload has removed are kept, so that they count on when they come back.
constexpr std::size_t kGoneMax = 100;

/// Keeps no more than that of `snapshot->gone`, and of what the others counted the sum. `before` has a reference to
/// each; a worker that still has one may still count.
void forget_oldest(Snapshot& snapshot) {
  for (std::size_t i = snapshot.gone.size(); i-- > kGoneMax;) {
    if (snapshot.gone[i].use_count() > 2) continue;
    std::atomic_thread_fence(std::memory_order_acquire);  // what the last worker counted before it let go
    snapshot.forgotten += ledger_of(*snapshot.gone[i]);
    snapshot.gone.erase(snapshot.gone.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::shared_ptr<ServerPool> take_named(Pools& pools, std::string_view name) {
  const auto found =
      std::find_if(pools.begin(), pools.end(), [name](const auto& pool) { return pool->name() == name; });
  if (found == pools.end()) return nullptr;
  std::shared_ptr<ServerPool> pool = *found;
  pools.erase(found);
  return pool;
}

}  // namespace

Ledger ledger_of(const Snapshot& snapshot) {
  Ledger all = ledger_of(*snapshot.unrouted);
  for (const auto* pools : {&snapshot.pools, &snapshot.gone}) {
    for (const auto& pool : *pools) all += ledger_of(*pool);
  }
  return all += snapshot.forgotten;
}

std::shared_ptr<const Snapshot> make_snapshot(const Settings& settings, std::size_t worker_count,
                                              const Snapshot* before) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->settings = settings;
  if (before != nullptr) {
    snapshot->gone = before->pools;
    snapshot->gone.insert(snapshot->gone.end(), before->gone.begin(), before->gone.end());
    snapshot->forgotten = before->forgotten;
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
  forget_oldest(*snapshot);
  snapshot->routes = RouteTable(routes_of(settings));
  return snapshot;
}

}  // namespace holdfast::lb
