// One thread's uv loop: its clock, its shared read buffer, work before it sleeps. Other threads reach its objects by
// their mailboxes (common/loop/mailbox.h). Thread: the one that calls run().
#pragma once

#include "common/loop/turn_output.h"

#include <uv.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace holdfast {

/// A loop's time: milliseconds, read once a turn (uv_now).
struct LoopClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<LoopClock>;
  static constexpr bool is_steady = true;
};
using TimePoint = LoopClock::time_point;

class Loop {
 public:
  Loop();
  /// Destroys what was retired and lets libuv finish with closed handles. Deferred calls that have not run are dropped:
  /// their objects may be gone.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* uv() { return &loop_; }

  /// The time at which this turn began; cheap.
  TimePoint now() const { return TimePoint(LoopClock::duration(static_cast<LoopClock::rep>(uv_now(&loop_)))); }

  /// Serves until stop().
  void run();
  /// Ends run() after this turn.
  void stop();

  using Deferred = void (*)(void* object);
  /// Calls `task(object)` once, on this thread, before the loop next sleeps; what it defers itself comes in the same
  /// round.
  void defer(void* object, Deferred task);

  /// Runs all deferred tasks now: after a sweep of timeouts, and when their owner ends and the loop turns no more.
  void settle() { run_deferred(); }

  /// Destroys `object` before the loop next sleeps, when none of its functions is on the stack any more.
  template <class T>
  void retire(std::unique_ptr<T> object) {
    if (object == nullptr) return;
    deferred_.push_back({object.release(), [](void* retired) { delete static_cast<T*>(retired); }, true});
  }

  /// What is written in this turn; sent before the loop next sleeps.
  TurnOutput& output() { return output_; }

  /// Where every socket of this loop reads to; its bytes are good until the next read.
  std::span<char> read_buffer() { return read_buffer_; }

 private:
  struct Entry {
    void* object;
    Deferred run;
    bool is_retired = false;  // the loop owns the object, and `run` destroys it
  };

  void run_deferred();
  void destroy_retired();

  uv_loop_t loop_{};
  uv_prepare_t prepare_{};
  TurnOutput output_;
  std::vector<Entry> deferred_;
  std::array<char, 64 * 1024> read_buffer_;
};

}  // namespace holdfast
