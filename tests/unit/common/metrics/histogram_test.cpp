#include "common/metrics/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

std::size_t bucket_of(std::chrono::nanoseconds latency) {
  Histogram histogram;
  histogram.add(latency);
  const auto buckets = histogram.snapshot().buckets;
  return static_cast<std::size_t>(std::find(buckets.begin(), buckets.end(), 1U) - buckets.begin());
}

}  // namespace

TEST_CASE("the bounds of the buckets rise") {
  CHECK(std::is_sorted(kLatencyBoundsUs.begin(), kLatencyBoundsUs.end()));
  CHECK(kLatencyBoundsUs.front() == 100);
  CHECK(kLatencyBoundsUs.back() == 10'000'000);
}

TEST_CASE("a latency falls into the first bucket whose bound is not under it") {
  const std::vector<std::pair<std::chrono::nanoseconds, std::size_t>> rows{
      {-5ms, 0}, {0us, 0}, {100us, 0}, {101us, 1}, {250us, 1}, {1ms, 3}, {10s, 15}, {10'001ms, 16}, {24h, 16},
  };
  for (const auto& row : rows) {
    const auto& latency = row.first;
    const auto& bucket = row.second;
    CAPTURE(latency.count());
    CHECK(bucket_of(latency) == bucket);
  }
}

TEST_CASE("a snapshot has the count and the sum, and snapshots add up") {
  Histogram one;
  Histogram other;
  one.add(1ms);
  one.add(2ms);
  other.add(20s);
  HistogramSnapshot all = one.snapshot();
  all += other.snapshot();
  CHECK(all.count() == 3);
  CHECK(all.sum_seconds == doctest::Approx(20.003));
  CHECK(all.buckets.back() == 1);
}

TEST_CASE("quantiles are estimated within their bucket") {
  Histogram histogram;
  CHECK(histogram.snapshot().quantile(0.5) == 0);
  for (int i = 0; i < 90; ++i) histogram.add(800us);  // (0.5 ms, 1 ms]
  for (int i = 0; i < 10; ++i) histogram.add(40ms);   // (25 ms, 50 ms]
  const HistogramSnapshot snapshot = histogram.snapshot();
  CHECK(snapshot.quantile(0.5) > 0.0005);
  CHECK(snapshot.quantile(0.5) <= 0.001);
  CHECK(snapshot.quantile(0.9) == doctest::Approx(0.001));
  CHECK(snapshot.quantile(0.99) > 0.025);
  CHECK(snapshot.quantile(0.99) <= 0.05);
}

TEST_CASE("a quantile beyond the last bound is that bound") {
  Histogram histogram;
  histogram.add(60s);
  CHECK(histogram.snapshot().quantile(0.99) == doctest::Approx(10.0));
}
