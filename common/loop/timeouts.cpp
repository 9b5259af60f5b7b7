#include "common/loop/timeouts.h"

#include "common/assert.h"

#include <algorithm>

namespace holdfast {

/// The timer says that time is up. Then the idle handle keeps the loop from sleeping in its next poll, and the check
/// handle sweeps after it.
struct Timeouts::Handles {
  uv_timer_t timer{};
  uv_idle_t no_sleep{};
  uv_check_t after_poll{};
  Timeouts* user = nullptr;
  int open = 3;

  template <class Handle>
  void close(Handle& handle) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) {
      auto* self = static_cast<Handles*>(closed->data);
      if (--self->open == 0) delete self;
    });
  }
};

Timeouts::Timeouts(Loop& loop) : loop_(loop), handles_(new Handles), wheel_(loop.now()) {
  handles_->user = this;
  handles_->timer.data = handles_->no_sleep.data = handles_->after_poll.data = handles_;
  HF_ASSERT(uv_timer_init(loop.uv(), &handles_->timer) == 0);
  HF_ASSERT(uv_idle_init(loop.uv(), &handles_->no_sleep) == 0);
  HF_ASSERT(uv_check_init(loop.uv(), &handles_->after_poll) == 0);
}

Timeouts::~Timeouts() {
  handles_->close(handles_->timer);
  handles_->close(handles_->no_sleep);
  handles_->close(handles_->after_poll);
}

void Timeouts::arm(Timeout& timeout, std::chrono::milliseconds after) {
  // At least a millisecond on, so that a time-out that re-arms itself when it expires cannot keep sweep() busy for
  // ever.
  const TimePoint look_at = wheel_.arm(timeout, loop_.now() + std::max(after, std::chrono::milliseconds(1)));
  if (look_at < wake_at_) wake_at(look_at);
}

void Timeouts::wake_at(TimePoint time) {
  wake_at_ = time;
  start_timer(std::max(time - loop_.now(), LoopClock::duration(0)));
}

void Timeouts::start_timer(LoopClock::duration delay) {
  uv_timer_start(
      &handles_->timer,
      [](uv_timer_t* timer) {
        auto* handles = static_cast<Handles*>(timer->data);
        Timeouts& self = *handles->user;
        if (!self.is_postponed_ && self.loop_.now() - self.wake_at_ > kLateness) {
          self.is_postponed_ = true;
          return self.start_timer(kGrace);
        }
        uv_idle_start(&handles->no_sleep, [](uv_idle_t*) {});
        uv_check_start(&handles->after_poll, [](uv_check_t* check) {
          auto* due = static_cast<Handles*>(check->data);
          uv_idle_stop(&due->no_sleep);
          uv_check_stop(check);
          Loop& loop = due->user->loop_;
          due->user->sweep();
          loop.settle();  // may arm the next time-out, without which a loop with nothing else to do would end
        });
      },
      static_cast<std::uint64_t>(delay.count()), 0);
}

void Timeouts::sweep() {
  wake_at_ = TimePoint::max();
  is_postponed_ = false;
  const auto next = wheel_.sweep(loop_.now());
  if (next && *next < wake_at_) wake_at(*next);
}

}  // namespace holdfast
