#include "lb/pool/recent_latency.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {
constexpr TimePoint at(long ms) { return TimePoint(LoopClock::duration(ms)); }
}  // namespace

TEST_CASE("latencies of long ago are forgotten, unless there are too few new ones") {
  HistogramSnapshot all;
  RecentLatency recent;
  recent.turn(all, at(0));
  all.buckets[10] = 1000;  // 100 to 250 ms
  CHECK(recent.quantile(all, 0.99) > 200ms);
  recent.turn(all, at(15'000));
  recent.turn(all, at(30'000));
  CHECK(recent.quantile(all, 0.99) > 200ms);
  all.buckets[0] += 19;  // up to 0.1 ms
  CHECK(recent.quantile(all, 0.99) > 200ms);
  all.buckets[0] += 1;
  CHECK(recent.quantile(all, 0.99) < 1ms);
  CHECK_FALSE(recent.is_due(at(44'999)));
  CHECK(recent.is_due(at(45'000)));
}
