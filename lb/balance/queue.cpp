#include "lb/balance/queue.h"

#include <algorithm>

namespace holdfast::lb {

WaitQueue::WaitQueue(Loop& loop, TimeoutClass& timeouts, ServerPool& pool, std::size_t worker)
    : loop_(loop),
      timeouts_(timeouts),
      pool_(pool),
      worker_(worker),
      size_max_(pool.settings().queue_size),
      is_limited_(std::any_of(pool.servers().begin(), pool.servers().end(),
                              [](const auto& server) { return server->max_requests() != 0; })),
      next_step_(Timeout::calling<&WaitQueue::on_step>(this)) {}

bool WaitQueue::enter(Waiter& waiter, Waiting why) {
  if (size_ >= size_max_) return false;
  ++size_;
  waiter.is_pausing_ = why == Waiting::APause;
  if (waiter.ticket_ == 0) waiter.ticket_ = pool_.board().next_ticket();
  if (waiter.is_pausing_) {
    pausing_.push_back(waiter);
    return true;
  }
  Waiter* before = waiting_.back();
  if (waiting_.front() != nullptr && waiter.ticket_ < waiting_.front()->ticket_) before = nullptr;
  while (before != nullptr && before->ticket_ > waiter.ticket_) before = waiting_.previous(*before);
  waiting_.insert_after(before, waiter);
  publish();
  // A place may have become free between the look that found none and now, when nobody could know of this waiter.
  if (is_limited_ && has_room()) pass_on_now(1);
  return true;
}

void WaitQueue::leave(Waiter& waiter) {
  if (!waiter.is_linked()) return;
  waiter.unlink();
  --size_;
  if (!waiter.is_pausing_) publish();
}

bool WaitQueue::must_wait() const {
  return !waiting_.empty() || (is_limited_ && pool_.board().oldest() != WaitingBoard::kNobody);
}

void WaitQueue::wake_some() {
  unsigned servers = 0;
  for (const auto& server : pool_.servers()) servers += may_get_requests(server->state()) ? 1 : 0;
  step_ = kStep;
  if (servers > 0) allow(kStep * servers);
}

void WaitQueue::dismiss() {
  for (List<Waiter, WaitQueue>* waiters : {&waiting_, &pausing_}) {
    while (Waiter* next = waiters->front()) {
      leave(*next);
      next->on_wake();
    }
  }
}

void WaitQueue::on_step() {
  step_ *= 2;
  allow(step_);
}

void WaitQueue::pass_on_now(unsigned count) {
  if (!is_limited_) return allow(count);
  const std::size_t oldest = pool_.board().oldest();
  if (oldest == worker_) return allow(count);
  if (oldest != WaitingBoard::kNobody) pool_.board().wake(oldest);
}

void WaitQueue::allow(unsigned count) {
  if (size_ == 0 && !is_limited_) return;
  allowed_ += count;
  if (is_due_) return;
  is_due_ = true;
  // Not on the stack of whoever made room: one that is woken may end at once, and wake the next.
  loop_.defer(this, [](void* self) { static_cast<WaitQueue*>(self)->release(); });
}

void WaitQueue::release() {
  is_due_ = false;
  next_step_.disarm();
  while (allowed_ > 0) {
    Waiter* next = waiting_.empty() ? pausing_.front() : waiting_.front();
    if (next == nullptr) break;
    --allowed_;
    leave(*next);
    next->on_wake();
    if (next->is_linked()) {  // it found none; nor would those behind it
      allowed_ = 0;
      return;
    }
  }
  const bool has_left_over = allowed_ > 0;
  allowed_ = 0;
  if (!waiting_.empty()) timeouts_.arm(next_step_, kStepTime);
  if (has_left_over && is_limited_ && has_room()) pass_on_now(1);  // who was to be woken has left meanwhile
}

void WaitQueue::publish() {
  if (is_limited_) pool_.board().publish(worker_, waiting_.empty() ? 0 : waiting_.front()->ticket_);
}

bool WaitQueue::has_room() const {
  return std::any_of(pool_.servers().begin(), pool_.servers().end(),
                     [](const auto& server) { return may_get_requests(server->state()) && server->has_room(); });
}

}  // namespace holdfast::lb
