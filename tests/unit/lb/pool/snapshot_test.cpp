#include "lb/pool/snapshot.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::lb;

namespace {

Settings with_pool(const std::string& name) {
  Settings settings;
  PoolSettings pool;
  pool.name = name;
  settings.pools = {pool};
  return settings;
}

void count_one(const Snapshot& snapshot) {
  PoolCounters& counters = snapshot.pools.front()->counters(0);
  counters.requests.add();
  counters.outcomes[static_cast<std::size_t>(Outcome::Answered)].add();
}

}  // namespace

TEST_CASE("a pool that a reload removes and another brings back counts on") {
  auto snapshot = make_snapshot(with_pool("a"), 1);
  count_one(*snapshot);
  snapshot = make_snapshot(with_pool("b"), 1, snapshot.get());
  CHECK(ledger_of(*snapshot->pools.front()).started == 0);
  snapshot = make_snapshot(with_pool("a"), 1, snapshot.get());
  CHECK(ledger_of(*snapshot->pools.front()).started == 1);
  CHECK(ledger_of(*snapshot).started == 1);
}

TEST_CASE("of pools that reloads have removed a bounded number is kept, and the sum of what the others counted") {
  auto snapshot = make_snapshot(with_pool("0"), 1);
  const std::shared_ptr<ServerPool> in_use = snapshot->pools.front();  // by a worker, whose request goes on
  for (int i = 1; i <= 500; ++i) {
    count_one(*snapshot);
    snapshot = make_snapshot(with_pool(std::to_string(i)), 1, snapshot.get());
    CHECK(snapshot->gone.size() <= 101);
  }
  in_use->counters(0).requests.add();
  in_use->counters(0).in_flight.add(1);
  const Ledger all = ledger_of(*snapshot);
  CHECK(all.started == 501);
  CHECK(all.of(Outcome::Answered) == 500);
  CHECK(all.in_flight == 1);
  CHECK(all.imbalance() == 0);
}
