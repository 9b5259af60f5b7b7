// Tasks for one object, run on its loop's thread in the order in which they were posted. The mailbox dies with its
// receiver: a task that has not run by then is dropped, and a later one is refused. A task should carry values: it may
// be destroyed on either side.
#pragma once

#include "common/loop/loop.h"

#include <functional>
#include <memory>

namespace holdfast {

class Mailbox {
  struct State;

 public:
  using Task = std::function<void()>;

  /// Posts tasks to one mailbox. Copies may outlive the mailbox and its loop. Thread: any.
  class Sender {
   public:
    /// Returns false, and drops `task`, if the receiver is gone. Takes a lock and allocates: not for the data path.
    bool post(Task task) const;

   private:
    friend class Mailbox;
    explicit Sender(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  /// Thread: the loop's. The mailbox must be destroyed before the loop; it keeps the loop running.
  explicit Mailbox(Loop& loop);
  /// A task may destroy the mailbox that it came from.
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  Sender sender() const { return Sender(state_); }
  /// Runs `task` in one of the loop's next turns, never from inside this call.
  void post(Task task) const { sender().post(std::move(task)); }

 private:
  struct Handle;
  static void run_tasks(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace holdfast
