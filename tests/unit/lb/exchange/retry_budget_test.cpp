#include "lb/exchange/retry_budget.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

constexpr BudgetSettings kSettings{.percent = 20, .min_per_second = 10};
constexpr TimePoint kStart{std::chrono::seconds(100)};

unsigned take_all(RetryBudget& budget, TimePoint now, std::int64_t in_flight) {
  unsigned taken = 0;
  while (taken < 10'000 && budget.take(now, in_flight)) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("a new budget has what a second adds") {
  RetryBudget budget(kSettings);
  CHECK(take_all(budget, kStart, 0) == 10);
}

TEST_CASE("five requests add one retry") {
  RetryBudget budget(kSettings);
  take_all(budget, kStart, 0);
  for (int i = 0; i < 500; ++i) budget.on_request(kStart);
  CHECK(take_all(budget, kStart, 0) == 100);
}

TEST_CASE("a second adds min_per_second, and no more than ten seconds are saved up") {
  RetryBudget budget(kSettings);
  take_all(budget, kStart, 0);
  CHECK(take_all(budget, kStart + std::chrono::seconds(1), 0) == 10);
  CHECK(take_all(budget, kStart + std::chrono::hours(1), 0) == 100);
}

TEST_CASE("as many retries as there are requests in flight are always there, once") {
  RetryBudget budget(kSettings);
  take_all(budget, kStart, 0);
  CHECK(take_all(budget, kStart, 64) == 64);
  CHECK_FALSE(budget.take(kStart, 64));
  // What was overdrawn is paid back first.
  CHECK(take_all(budget, kStart + std::chrono::seconds(3), 0) == 0);
  CHECK(take_all(budget, kStart + std::chrono::seconds(3), 64) == 30);
}

TEST_CASE("who finds no token is told when there will be one") {
  RetryBudget budget(kSettings);
  take_all(budget, kStart, 0);
  CHECK(budget.next(0) == std::chrono::milliseconds(100));
  CHECK_FALSE(budget.take(kStart + std::chrono::milliseconds(99), 0));
  CHECK(budget.take(kStart + std::chrono::milliseconds(101), 0));
  const BudgetSettings none{.percent = 0, .min_per_second = 0};
  RetryBudget empty(none);
  CHECK_FALSE(empty.take(kStart, 0));
  CHECK(empty.take(kStart, 1));
  CHECK(empty.next(0) > std::chrono::seconds(1));
}
