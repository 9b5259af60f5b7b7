#include "lb/pool/ledger.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

void begin(PoolCounters& counters) {
  counters.requests.add();
  counters.in_flight.add(1);
}

void end(PoolCounters& counters, Outcome outcome) {
  counters.in_flight.add(-1);
  counters.outcomes[static_cast<std::size_t>(outcome)].add();
}

}  // namespace

TEST_CASE("the ledger balances where each request has ended once or is in flight, over all workers") {
  ServerPool pool(PoolSettings{}, 2);
  for (int i = 0; i < 5; ++i) begin(pool.counters(0));
  for (int i = 0; i < 2; ++i) begin(pool.counters(1));
  end(pool.counters(0), Outcome::Answered);
  end(pool.counters(0), Outcome::Cut);
  end(pool.counters(1), Outcome::LocalError);
  pool.counters(1).retry_successes.add(3);
  Ledger ledger = ledger_of(pool);
  CHECK(ledger.started == 7);
  CHECK(ledger.ended() == 3);
  CHECK(ledger.in_flight == 4);
  CHECK(ledger.imbalance() == 0);
  CHECK(ledger.text() == "7 requests, 1 cut, 1 local errors, 3 saved by retry");
  end(pool.counters(0), Outcome::Answered);
  end(pool.counters(0), Outcome::Answered);
  pool.counters(0).in_flight.add(1);  // one of them ended twice
  ledger = ledger_of(pool);
  CHECK(ledger.imbalance() == -1);
  ledger += ledger;
  CHECK(ledger.imbalance() == -2);
}
