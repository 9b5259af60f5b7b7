// How many retries an outage may add to the load: a share of the requests, a few a second beside, and at once as many
// as are in flight. Who finds it empty waits, and does not fail. Pure; time is an argument.
// Thread: worker; each has its own for each pool.
#pragma once

#include "common/loop/loop.h"
#include "lb/pool/settings.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace holdfast::lb {

/// Each request adds `ratio` of a token, each second `min_per_second`; a retry takes one. The balance is bounded by
/// what ten seconds add. It may be overdrawn by the number of requests in flight: when one of two servers dies, half of
/// these are to be repeated in the same moment, and that is once. What was overdrawn is paid back before the next time.
class RetryBudget {
 public:
  explicit RetryBudget(const BudgetSettings& settings)
      : settings_(settings), balance_(static_cast<double>(settings.min_per_second)) {}

  void on_request(TimePoint now) {
    refill(now);
    const double ratio = static_cast<double>(settings_.percent) / 100;
    recent_ += ratio;
    balance_ = std::min(balance_ + ratio, most());
  }

  /// Takes a token for a retry; false where there is none.
  bool take(TimePoint now, std::int64_t in_flight) {
    refill(now);
    if (balance_ - 1 < -static_cast<double>(std::max<std::int64_t>(in_flight, 0))) return false;
    balance_ -= 1;
    return true;
  }

  /// When, at the latest, the next token will be there: requests may bring it sooner.
  std::chrono::milliseconds next(std::int64_t in_flight) const {
    const double missing = 1 - static_cast<double>(in_flight) - balance_;
    if (missing <= 0) return std::chrono::milliseconds(0);
    if (settings_.min_per_second == 0) return kWindow;
    return std::chrono::ceil<std::chrono::milliseconds>(
        std::chrono::duration<double>(missing / static_cast<double>(settings_.min_per_second)));
  }

  /// Negative where it is overdrawn.
  double balance() const { return balance_; }

 private:
  static constexpr std::chrono::milliseconds kWindow{10'000};

  double most() const { return recent_ + static_cast<double>(settings_.min_per_second) * 10; }

  void refill(TimePoint now) {
    const double seconds = std::chrono::duration<double>(now - at_).count();
    if (seconds <= 0) return;
    if (at_ != TimePoint{}) {
      recent_ *= std::max(0.0, 1 - seconds / 10);
      balance_ = std::min(balance_ + seconds * static_cast<double>(settings_.min_per_second), most());
    }
    at_ = now;
  }

  const BudgetSettings& settings_;
  double balance_;
  double recent_ = 0;  // what the requests of about the last ten seconds have added
  TimePoint at_{};
};

}  // namespace holdfast::lb
