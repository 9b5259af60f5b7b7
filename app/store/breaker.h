// Whether something that failed is asked again: a pure state machine, time is an argument.
// Thread: any, one at a time.
#pragma once

#include "common/loop/loop.h"

#include <chrono>
#include <string_view>

namespace holdfast::app {

/// Pauses that double from `first` to `max`, spread by a jitter so that instances do not come back in step.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max) : first_(first), max_(max), next_(first) {}

  /// The next pause; `jitter` in [0, 1) takes up to a half of it away.
  std::chrono::milliseconds next(double jitter);
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds next_;
};

/// A number in [0, 1) for Backoff and for TTLs. Thread: any; each has its own generator.
double random_share();

//   Closed ──failure──▶ Open ──pause over, one allowed──▶ HalfOpen ──success──▶ Closed
//                        ▲                                    │
//                        └──────────── failure ───────────────┘
class Breaker {
 public:
  enum class State { Closed, Open, HalfOpen };

  Breaker(std::chrono::milliseconds pause_first, std::chrono::milliseconds pause_max)
      : backoff_(pause_first, pause_max) {}

  /// May something be asked at `now`? When the pause is over exactly one may, the trial; its outcome must be told.
  bool allows(TimePoint now);
  void on_success();
  /// Of a failure while open nothing more is learnt: what was under way when it opened fails as well.
  void on_failure(TimePoint now, double jitter);

  State state() const { return state_; }
  bool is_closed() const { return state_ == State::Closed; }
  /// When the next trial is allowed; of meaning while Open.
  TimePoint retry_at() const { return retry_at_; }

 private:
  Backoff backoff_;
  State state_ = State::Closed;
  TimePoint retry_at_{};
};

std::string_view name_of(Breaker::State state);

}  // namespace holdfast::app
