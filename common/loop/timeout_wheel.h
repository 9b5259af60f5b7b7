// Pending time-outs in order of time: a hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing
// Wheels", SOSP 1987). Arming and disarming are O(1), whatever else is pending, and allocate nothing. Time is an
// argument. Thread: the one of its owner.
#pragma once

#include "common/loop/loop.h"
#include "common/memory/list.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace holdfast {

/// One pending time-out, a member of the object that waits. It disarms itself when it is destroyed.
class Timeout : public ListHook<Timeout> {
 public:
  using Expired = void (*)(void* owner);

  Timeout(void* owner, Expired expired) : owner_(owner), expired_(expired) {}

  /// `Timeout idle_ = Timeout::calling<&Connection::on_idle>(this);`
  template <auto Member, class Owner>
  static Timeout calling(Owner* owner) {
    return Timeout(owner, [](void* object) { (static_cast<Owner*>(object)->*Member)(); });
  }

  bool is_armed() const { return is_linked(); }
  void disarm() { unlink(); }
  TimePoint deadline() const { return deadline_; }

 private:
  friend class TimeoutWheel;

  TimePoint deadline_{};
  void* owner_;
  Expired expired_;
};

class TimeoutWheel {
 public:
  /// Deadlines are rounded up to this, so that many of them share one wake-up.
  static constexpr std::chrono::milliseconds kTick{5};

  explicit TimeoutWheel(TimePoint now) : swept_(floor(now)) {}

  /// Arms `timeout`, also if it was armed. Returns when to call sweep() for it at the latest: at its deadline, or
  /// before, if it waits at a place that holds a range of deadlines.
  TimePoint arm(Timeout& timeout, TimePoint deadline);
  /// Calls each time-out whose deadline has passed: late by up to a tick, never early. What they arm meanwhile for
  /// later than `now` is not called. Returns when to call this next; nothing if none is pending.
  std::optional<TimePoint> sweep(TimePoint now);

 private:
  using Tick = std::uint64_t;
  static constexpr unsigned kSlotBits = 6;
  static constexpr Tick kSlots = Tick{1} << kSlotBits;

  /// Level n has a slot for each of the next 64 blocks of 64^n ticks.
  struct Level {
    std::array<List<Timeout, Timeout>, kSlots> slots;
    std::uint64_t maybe_used = 0;  // by slot; a time-out that is disarmed leaves its bit
  };

  static Tick floor(TimePoint time) { return static_cast<Tick>(time.time_since_epoch() / kTick); }
  static Tick ceil(TimePoint time) { return floor(time + kTick - LoopClock::duration(1)); }
  static TimePoint time_of(Tick tick) { return TimePoint(kTick * static_cast<LoopClock::rep>(tick)); }

  Tick place(Timeout& timeout);
  std::optional<Tick> next();
  void cascade(Tick tick);
  void expire(Tick tick);

  Tick swept_;                   // all ticks up to this one
  std::array<Level, 5> levels_;  // 64^5 ticks are two months; what is later goes round again
};

}  // namespace holdfast
