// Exchanges that wait for a server: one bounded FIFO a worker and pool, woken by what changes, never by polling.
//
// They are woken in steps, so that the first server back is not buried: a few where a server's state changes, from then
// on up to two for each attempt that ends, and more and more while none does (answers may be slow by nature). Where
// servers have a limit (max_requests) the order holds across workers: a place that frees goes to whoever has waited
// longest. Thread: worker.
#pragma once

#include "common/loop/timeouts.h"
#include "common/memory/list.h"
#include "lb/pool/server.h"

#include <cstddef>
#include <cstdint>

namespace holdfast::lb {

class WaitQueue;

/// Somebody who waits. Leaves the queue when it dies.
class Waiter : public ListHook<WaitQueue> {
 public:
  virtual void on_wake() = 0;

 protected:
  ~Waiter() = default;
  /// The next time it enters is its first: it comes behind all others.
  void begin_waiting_anew() { ticket_ = 0; }

 private:
  friend class WaitQueue;
  std::uint64_t ticket_ = 0;
  bool is_pausing_ = false;
};

/// Why somebody waits.
enum class Waiting : std::uint8_t {
  ForServer,  // in turn: nobody who comes later goes first
  APause,     // before the next round of attempts; it keeps nobody else waiting
};

class WaitQueue {
 public:
  /// So many are woken for each server that may get requests, where a state changes.
  static constexpr unsigned kStep = 4;
  /// Then twice as many each time that this has passed.
  static constexpr std::chrono::milliseconds kStepTime{50};

  WaitQueue(Loop& loop, TimeoutClass& timeouts, ServerPool& pool, std::size_t worker);

  /// False where the queue is full. Who has waited before comes back to the same place.
  bool enter(Waiter& waiter, Waiting why);
  void leave(Waiter& waiter);
  /// True where somebody who came first waits for a server.
  bool must_wait() const;

  /// A state has changed, or another worker passed a place on: a few look again.
  void wake_some();
  /// Another queue is in force: all look again, and none comes back.
  void dismiss();
  /// An attempt or an exchange is over: up to `count` of those who wait look again, once this turn's work is done.
  void pass_on(unsigned count) {
    if (!waiting_.empty() || is_limited_) pass_on_now(count);
  }

  std::size_t size() const { return size_; }
  /// Nothing of it is on its way in the loop.
  bool is_quiet() const { return !is_due_; }

 private:
  void pass_on_now(unsigned count);
  void allow(unsigned count);
  void release();
  void on_step();
  void publish();
  bool has_room() const;

  Loop& loop_;
  TimeoutClass& timeouts_;
  ServerPool& pool_;
  std::size_t worker_;
  std::size_t size_max_;
  bool is_limited_;
  std::size_t size_ = 0;
  unsigned allowed_ = 0;  // may be woken
  bool is_due_ = false;   // release() is on its way
  unsigned step_ = kStep;
  Timeout next_step_;
  List<Waiter, WaitQueue> waiting_;  // by ticket
  List<Waiter, WaitQueue> pausing_;
};

}  // namespace holdfast::lb
