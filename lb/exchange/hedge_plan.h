// When a request that owes its answer is sent to a second server, and how many may be: settings and what this worker
// has seen of the pool, to a time. Time is an argument.
// Thread: worker; each has its own for each pool.
#pragma once

#include "common/http/head.h"
#include "lb/pool/recent_latency.h"
#include "lb/pool/server.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace holdfast::lb {

class HedgePlan {
 public:
  HedgePlan(const ServerPool& pool, std::size_t worker)
      : settings_(pool.settings().hedge), pool_(pool), worker_(worker) {}

  bool is_on() const { return settings_.is_on; }
  /// Requests of this method are hedged.
  bool takes(Method method) const;
  /// One that might be hedged has come.
  void on_request() { saved_percent_ = std::min(saved_percent_ + settings_.max_percent, kSavedMax * 100); }
  /// How long after its beginning an attempt is hedged; none while too little is known to say.
  std::optional<std::chrono::milliseconds> after(TimePoint now);
  /// Takes what a hedge costs; false where hedge.max are out.
  bool take() {
    if (saved_percent_ < 100) return false;
    saved_percent_ -= 100;
    return true;
  }

 private:
  static constexpr std::chrono::milliseconds kLookAgain{1000};
  static constexpr unsigned kSavedMax = 100;  // hedges that quiet times leave for a bad moment
  HistogramSnapshot seen() const;

  const HedgeSettings& settings_;
  const ServerPool& pool_;
  std::size_t worker_;
  unsigned saved_percent_ = 0;  // of a hedge
  RecentLatency latency_;
  std::optional<std::chrono::milliseconds> quantile_;
  TimePoint looked_{};
};

}  // namespace holdfast::lb
