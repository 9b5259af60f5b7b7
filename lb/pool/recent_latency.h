// Quantiles of what was added lately to a histogram that only grows. Time is an argument.
// Thread: whoever owns it.
#pragma once

#include "common/loop/loop.h"
#include "common/metrics/histogram.h"

#include <chrono>
#include <cstdint>

namespace holdfast::lb {

/// The latencies of the last 15 to 30 seconds.
class RecentLatency {
 public:
  /// Fewer tell nothing.
  static constexpr std::uint64_t kEnough = 20;

  /// True where it is time to turn().
  bool is_due(TimePoint now) const { return now >= turned_ + kWindow; }
  void turn(const HistogramSnapshot& all, TimePoint now);
  /// The `share` quantile of what has been added lately; of everything where that is too little to tell.
  std::chrono::milliseconds quantile(const HistogramSnapshot& all, double share) const;

 private:
  static constexpr std::chrono::milliseconds kWindow{15'000};
  HistogramSnapshot older_;  // begins the window
  HistogramSnapshot newer_;  // will begin the next
  TimePoint turned_{};
};

}  // namespace holdfast::lb
