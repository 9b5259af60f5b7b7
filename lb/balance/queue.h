// Exchanges that wait for a server: one bounded FIFO a worker and pool, woken by a change of state, never by polling.
// Thread: worker.
#pragma once

#include "common/memory/list.h"

#include <cstddef>

namespace holdfast::lb {

class WaitQueue;

/// Somebody who waits. Leaves the queue when it dies.
class Waiter : public ListHook<WaitQueue> {
 public:
  virtual void on_wake() = 0;

 protected:
  ~Waiter() = default;
};

class WaitQueue {
 public:
  explicit WaitQueue(std::size_t size_max) : size_max_(size_max) {}

  /// False where the queue is full.
  bool enter(Waiter& waiter) {
    if (size_ >= size_max_) return false;
    waiters_.push_back(waiter);
    ++size_;
    return true;
  }
  void leave(Waiter& waiter) {
    if (!waiter.is_linked()) return;
    waiter.unlink();
    --size_;
  }
  /// Lets each that waits now look again, first come first served. Who finds nothing enters anew, behind none of them.
  void wake_all() {
    for (std::size_t left = size_; left > 0 && !waiters_.empty(); --left) {
      Waiter& waiter = *waiters_.front();
      leave(waiter);
      waiter.on_wake();
    }
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_max_;
  std::size_t size_ = 0;
  List<Waiter, WaitQueue> waiters_;
};

}  // namespace holdfast::lb
