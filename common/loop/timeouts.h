// Coarse time-outs of one loop: a wheel and one uv_timer. Arming and disarming touch neither kernel nor heap.
//
// A time-out judges a peer only after the loop has polled. If this thread had no turn for a while (SIGSTOP, a busy
// machine), what the peer sent in time is still in the socket: it is read first, and usually disarms the time-out.
// Thread: the loop's.
#pragma once

#include "common/loop/timeout_wheel.h"

namespace holdfast {

/// All time-outs of one loop. It must be destroyed before its loop.
class Timeouts {
 public:
  explicit Timeouts(Loop& loop);
  ~Timeouts();
  Timeouts(const Timeouts&) = delete;
  Timeouts& operator=(const Timeouts&) = delete;

  /// Arms `timeout` to fire `after` from now, also if it was armed. It fires late by up to a tick, never early.
  void arm(Timeout& timeout, std::chrono::milliseconds after);

  /// Users name what they arm by its purpose; all purposes share one wheel.
  Timeouts& add_class() { return *this; }

 private:
  /// Later than this, the thread was stopped or starved: what it had written by then may leave only now, and its peers
  /// get kGrace to respond.
  static constexpr std::chrono::milliseconds kLateness{50};
  static constexpr std::chrono::milliseconds kGrace{100};

  struct Handles;
  void wake_at(TimePoint time);
  void start_timer(LoopClock::duration delay);
  void sweep();

  Loop& loop_;
  Handles* handles_;  // freed by their close callbacks
  TimePoint wake_at_ = TimePoint::max();
  bool is_postponed_ = false;  // the next sweep, by kGrace
  TimeoutWheel wheel_;
};

using TimeoutClass = Timeouts;

}  // namespace holdfast
