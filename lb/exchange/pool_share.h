// One worker's share of a pool: its turn among the servers, its ways to them, who waits, what it counts.
// A reload puts another in its place; exchanges that began with it go on with that one from their next attempt on.
// Thread: worker; each worker has its own.
#pragma once

#include "lb/balance/policy.h"
#include "lb/balance/queue.h"
#include "lb/exchange/hedge_plan.h"
#include "lb/exchange/retry_budget.h"
#include "lb/upstream/endpoint.h"

#include <memory>
#include <vector>

namespace holdfast::lb {

struct PoolShare {
  PoolShare(Loop& loop, TimeoutClass& timeouts, std::shared_ptr<ServerPool> shared, std::size_t worker,
            std::size_t worker_count)
      : pool(std::move(shared)),
        settings(pool->settings()),
        counters(pool->counters(worker)),
        policy(*pool, worker, worker_count),
        queue(loop, timeouts, *pool, worker),
        budget(settings.retry.budget),
        hedges(*pool, worker) {}

  /// What a reload has put in its place, or it itself.
  PoolShare& latest() {
    PoolShare* last = this;
    while (last->successor != nullptr) last = last->successor.get();
    return *last;
  }

  std::shared_ptr<ServerPool> pool;
  const PoolSettings& settings;
  PoolCounters& counters;
  Balancer policy;
  WaitQueue queue;
  RetryBudget budget;
  HedgePlan hedges;
  std::vector<std::shared_ptr<Endpoint>> endpoints;  // by the server's place in the pool; shared with the successor
  std::shared_ptr<PoolShare> successor;              // the one in force; null: it is in force, or its pool is no more
};

}  // namespace holdfast::lb
