#include "lb/exchange/hedge_plan.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint at(long ms) { return TimePoint(LoopClock::duration(100'000 + ms)); }

struct Pool {
  explicit Pool(const HedgeSettings& hedge) : pool(settings_with(hedge), 2) {}
  static PoolSettings settings_with(const HedgeSettings& hedge) {
    PoolSettings settings;
    settings.servers.resize(2);
    settings.hedge = hedge;
    return settings;
  }
  void see(std::size_t server, std::size_t worker, std::chrono::nanoseconds latency, int times) {
    for (int i = 0; i < times; ++i) pool.servers()[server]->counters(worker).first_byte.add(latency);
  }
  ServerPool pool;
};

int take_all(HedgePlan& plan) {
  int taken = 0;
  while (taken < 1'000'000 && plan.take()) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("a duration is what it says") {
  Pool seen({.is_on = true, .after = 50ms});
  HedgePlan plan(seen.pool, 0);
  CHECK(plan.after(at(0)) == 50ms);
}

TEST_CASE("a quantile is of what this worker has seen of all servers, once that is enough") {
  Pool seen({.is_on = true, .quantile = 0.95});
  HedgePlan plan(seen.pool, 1);
  seen.see(0, 0, 200ms, 1000);  // another worker's
  seen.see(0, 1, 2ms, 10);
  seen.see(1, 1, 2ms, 9);
  CHECK_FALSE(plan.after(at(0)).has_value());
  seen.see(1, 1, 80ms, 11);
  CHECK_FALSE(plan.after(at(999)).has_value());  // it looks once a second
  const auto after = plan.after(at(1000));
  REQUIRE(after.has_value());
  CHECK(*after > 50ms);
  CHECK(*after <= 100ms);
}

TEST_CASE("hedges are a share of the requests, and few are saved up") {
  Pool seen({.is_on = true, .after = 50ms, .max_percent = 5});
  HedgePlan plan(seen.pool, 0);
  CHECK(take_all(plan) == 0);
  for (int i = 0; i < 19; ++i) plan.on_request();
  CHECK(take_all(plan) == 0);
  plan.on_request();
  CHECK(take_all(plan) == 1);
  for (int i = 0; i < 1'000'000; ++i) plan.on_request();
  CHECK(take_all(plan) == 100);
}

TEST_CASE("only the methods that are named are hedged") {
  Pool seen({.is_on = true, .methods = {Method::Get, Method::Put}});
  const HedgePlan plan(seen.pool, 0);
  CHECK(plan.takes(Method::Get));
  CHECK(plan.takes(Method::Put));
  CHECK_FALSE(plan.takes(Method::Head));
}
