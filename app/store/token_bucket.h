// So many in a second, and so many at once after a rest. Pure: time is an argument, and one that goes back gives
// nothing. Thread: any, one at a time.
#pragma once

#include "common/loop/timeouts.h"

#include <algorithm>
#include <chrono>

namespace holdfast::app {

class TokenBucket {
 public:
  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}

  bool take(TimePoint now) {
    tokens_ = filled(now);
    filled_at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  /// After the last take().
  double tokens() const { return tokens_; }
  bool is_full(TimePoint now) const { return filled(now) >= burst_; }

 private:
  double filled(TimePoint now) const {
    const double seconds = std::chrono::duration<double>(now - filled_at_).count();
    return std::min(burst_, tokens_ + std::max(0.0, seconds) * rate_);
  }

  double rate_;
  double burst_;
  double tokens_;
  TimePoint filled_at_{};
};

}  // namespace holdfast::app
