#include "common/loop/timeouts.h"

#include "common/assert.h"

#include <algorithm>

namespace holdfast {

struct Timeouts::Timer {
  uv_timer_t handle{};
  Timeouts* user = nullptr;
};

void TimeoutClass::arm(Timeout& timeout, std::chrono::milliseconds after) {
  timeout.unlink();
  // At least a millisecond on, so that whoever re-arms in its own expiry cannot keep sweep() busy for ever.
  timeout.deadline_ = all_.loop_.now() + std::max(after, std::chrono::milliseconds(1));
  Timeout* place = pending_.back();
  while (place != nullptr && place->deadline_ > timeout.deadline_) place = pending_.previous(*place);
  pending_.insert_after(place, timeout);
  if (timeout.deadline_ < all_.wake_at_) all_.wake_at(timeout.deadline_);
}

Timeouts::Timeouts(Loop& loop) : loop_(loop), timer_(new Timer) {
  timer_->user = this;
  timer_->handle.data = timer_;
  HF_ASSERT(uv_timer_init(loop.uv(), &timer_->handle) == 0);
}

Timeouts::~Timeouts() {
  timer_->user = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_->handle),
           [](uv_handle_t* handle) { delete static_cast<Timer*>(handle->data); });
}

TimeoutClass& Timeouts::add_class() {
  classes_.push_back(std::unique_ptr<TimeoutClass>(new TimeoutClass(*this)));
  return *classes_.back();
}

void Timeouts::wake_at(TimePoint deadline) {
  const auto tick = kTick.count();
  const auto rounded = (deadline.time_since_epoch().count() + tick - 1) / tick * tick;
  wake_at_ = TimePoint(LoopClock::duration(rounded));
  const auto delay = std::max(wake_at_ - loop_.now(), LoopClock::duration(0));
  const auto delay_ms = static_cast<std::uint64_t>(delay.count());
  uv_timer_start(
      &timer_->handle,
      [](uv_timer_t* handle) {
        Timer* timer = static_cast<Timer*>(handle->data);
        if (timer->user != nullptr) timer->user->sweep();
      },
      delay_ms, 0);
}

void Timeouts::sweep() {
  wake_at_ = TimePoint::max();
  const TimePoint now = loop_.now();
  for (const auto& one : classes_) {
    // Who expires may arm again, for later than now: the loop ends.
    while (Timeout* due = one->pending_.front()) {
      if (due->deadline_ > now) break;
      due->unlink();
      due->expired_(due->owner_);
    }
  }
  TimePoint soonest = TimePoint::max();
  for (const auto& one : classes_) {
    if (const Timeout* first = one->pending_.front()) soonest = std::min(soonest, first->deadline_);
  }
  if (soonest < wake_at_) wake_at(soonest);
}

}  // namespace holdfast
