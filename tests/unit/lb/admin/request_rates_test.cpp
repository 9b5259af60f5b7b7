#include "lb/admin/request_rates.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    PoolSettings pool;
    pool.name = "web";
    pool.servers.resize(1);
    pool.servers[0].name = "one";
    settings.pools.push_back(pool);
    snapshot = make_snapshot(settings, 2);
  }
  void serve(std::uint64_t requests) {
    for (std::uint64_t i = 0; i < requests; ++i) server().counters()[i % 2]->requests.add();
  }
  const Server& server() const { return *snapshot->pools[0]->servers()[0]; }
  std::optional<double> rate() const { return rates.of(*snapshot->pools[0], server()); }

  Settings settings;
  std::shared_ptr<const Snapshot> snapshot;
  RequestRates rates;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a rate is what came between two looks, a second apart at least") {
  serve(100);
  CHECK_FALSE(rate());
  rates.look(*snapshot, TimePoint(60s));
  CHECK_FALSE(rate());
  serve(50);
  rates.look(*snapshot, TimePoint(60s + 999ms));
  CHECK_FALSE(rate());
  rates.look(*snapshot, TimePoint(62s));
  CHECK(rate() == 25);
  serve(5);
  rates.look(*snapshot, TimePoint(62s + 500ms));
  CHECK(rate() == 25);
  rates.look(*snapshot, TimePoint(64s));
  CHECK(rate() == 2.5);
}

TEST_CASE_FIXTURE(Fixture, "after a long time, or where a server counts from nothing, there is none") {
  serve(100);
  rates.look(*snapshot, TimePoint(60s));
  rates.look(*snapshot, TimePoint(71s));
  CHECK_FALSE(rate());
  rates.look(*snapshot, TimePoint(72s));
  CHECK(rate() == 0);
  snapshot = make_snapshot(settings, 2);
  rates.look(*snapshot, TimePoint(73s));
  CHECK_FALSE(rate());
}
