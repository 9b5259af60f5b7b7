#include "lb/health/slow_start.h"

#include <doctest/doctest.h>

using namespace holdfast::lb;
using namespace std::chrono_literals;

TEST_CASE("a share grows evenly from a tenth to the whole, and stays there") {
  CHECK(slow_start_percent(0ms, 10s) == 10);
  CHECK(slow_start_percent(5s, 10s) == 55);
  CHECK(slow_start_percent(9999ms, 10s) == 99);
  CHECK(slow_start_percent(10s, 10s) == 100);
  CHECK(slow_start_percent(-5ms, 10s) == 10);
  CHECK(slow_start_percent(0ms, 0ms) == 100);
}

TEST_CASE("its steps are neither too many nor to be seen") {
  CHECK(slow_start_step(10ms) == 10ms);
  CHECK(slow_start_step(9s) == 100ms);
  CHECK(slow_start_step(1h) == 1s);
}
