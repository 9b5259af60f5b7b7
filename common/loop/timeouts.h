// Coarse time-outs: sorted lists, swept by one uv_timer for the whole loop. Arming and disarming touch no kernel
// and no heap; a time-out of one class is always of about the same length, so it goes in at the tail.
// Thread: the loop's.
#pragma once

#include "common/loop/loop.h"
#include "common/memory/list.h"

#include <chrono>
#include <memory>
#include <vector>

namespace holdfast {

/// One pending time-out; a member of whoever waits. It disarms itself when it dies.
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
  friend class Timeouts;
  friend class TimeoutClass;

  TimePoint deadline_{};
  void* owner_;
  Expired expired_;
};

/// Time-outs of about the same length, soonest first.
class TimeoutClass {
 public:
  /// Arms `timeout` to fire `after` from now, re-arming it if it was armed in any class.
  /// It fires late by up to a tick (Timeouts::kTick), never early.
  void arm(Timeout& timeout, std::chrono::milliseconds after);

 private:
  friend class Timeouts;
  explicit TimeoutClass(class Timeouts& all) : all_(all) {}

  Timeouts& all_;
  List<Timeout, Timeout> pending_;
};

/// All time-out classes of one loop, and their one timer. It must be destroyed before its loop.
class Timeouts {
 public:
  /// Deadlines are rounded up to this, so that many of them share one wake-up.
  static constexpr std::chrono::milliseconds kTick{5};

  explicit Timeouts(Loop& loop);
  ~Timeouts();
  Timeouts(const Timeouts&) = delete;
  Timeouts& operator=(const Timeouts&) = delete;

  /// A new class; it lives as long as this object.
  TimeoutClass& add_class();

 private:
  friend class TimeoutClass;

  struct Timer;
  void wake_at(TimePoint deadline);
  void sweep();

  Loop& loop_;
  Timer* timer_;  // freed by its close callback
  TimePoint wake_at_ = TimePoint::max();
  std::vector<std::unique_ptr<TimeoutClass>> classes_;
};

}  // namespace holdfast
