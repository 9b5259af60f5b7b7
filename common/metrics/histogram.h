// A latency histogram with fixed buckets that one thread writes and any thread reads: an add is one search in sixteen
// numbers, one increment and one addition.
#pragma once

#include "common/metrics/counter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast {

/// Upper bounds of the buckets in microseconds; beyond the last there is one more bucket, +Inf.
inline constexpr std::array<std::uint64_t, 16> kLatencyBoundsUs{
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};
inline constexpr std::size_t kLatencyBuckets = kLatencyBoundsUs.size() + 1;

/// A copy of one or several histograms at one time, for the scrape.
struct HistogramSnapshot {
  std::array<std::uint64_t, kLatencyBuckets> buckets{};  // not cumulative
  double sum_seconds = 0;

  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t bucket : buckets) all += bucket;
    return all;
  }
  HistogramSnapshot& operator+=(const HistogramSnapshot& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    sum_seconds += other.sum_seconds;
    return *this;
  }
  /// Estimate of the `share` quantile (0.5, 0.99) in seconds, linear within its bucket; 0 where nothing was added.
  double quantile(double share) const;
};

/// Thread: add() one, snapshot() any.
class Histogram {
 public:
  void add(std::chrono::nanoseconds latency) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0)) / 1000;
    const auto bucket = std::lower_bound(kLatencyBoundsUs.begin(), kLatencyBoundsUs.end(), us);
    buckets_[static_cast<std::size_t>(bucket - kLatencyBoundsUs.begin())].add();
    sum_us_.add(us);
  }
  HistogramSnapshot snapshot() const {
    HistogramSnapshot copy;
    for (std::size_t i = 0; i < buckets_.size(); ++i) copy.buckets[i] = buckets_[i].value();
    copy.sum_seconds = static_cast<double>(sum_us_.value()) / 1e6;
    return copy;
  }

 private:
  std::array<Counter, kLatencyBuckets> buckets_;
  Counter sum_us_;
};

}  // namespace holdfast
