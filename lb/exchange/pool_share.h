// One worker's share of a pool: its turn among the servers, its ways to them, who waits, what it counts.
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

  Endpoint& endpoint(const Server& server) { return *endpoints[server.index()]; }

  std::shared_ptr<ServerPool> pool;
  const PoolSettings& settings;
  PoolCounters& counters;
  Balancer policy;
  WaitQueue queue;
  RetryBudget budget;
  HedgePlan hedges;
  std::vector<std::unique_ptr<Endpoint>> endpoints;  // by the server's index
};

}  // namespace holdfast::lb
