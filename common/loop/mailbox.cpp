#include "common/loop/mailbox.h"

#include "common/assert.h"

#include <mutex>
#include <utility>
#include <vector>

namespace holdfast {

struct Mailbox::State {
  std::mutex mutex;
  std::vector<Task> tasks;
  uv_async_t* wake = nullptr;  // null once the receiver is gone
};

/// What libuv may touch: freed by its close callback.
struct Mailbox::Handle {
  uv_async_t wake{};
  std::shared_ptr<State> state;
};

Mailbox::Mailbox(Loop& loop) : state_(std::make_shared<State>()) {
  auto* handle = new Handle{{}, state_};
  handle->wake.data = handle;
  const int opened = uv_async_init(loop.uv(), &handle->wake, [](uv_async_t* wake) {
    run_tasks(std::shared_ptr<State>(static_cast<Handle*>(wake->data)->state));
  });
  HF_ASSERT(opened == 0);
  state_->wake = &handle->wake;
}

Mailbox::~Mailbox() {
  uv_async_t* wake = nullptr;
  std::vector<Task> dropped;  // outside the lock: what a task owned may post
  {
    const std::lock_guard lock(state_->mutex);
    wake = std::exchange(state_->wake, nullptr);
    dropped.swap(state_->tasks);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(wake),
           [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
}

bool Mailbox::Sender::post(Task task) const {
  const std::lock_guard lock(state_->mutex);
  if (state_->wake == nullptr) return false;
  state_->tasks.push_back(std::move(task));
  uv_async_send(state_->wake);  // under the lock: the handle is open
  return true;
}

void Mailbox::run_tasks(const std::shared_ptr<State>& state) {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(state->mutex);
    tasks.swap(state->tasks);
  }
  for (const Task& task : tasks) {
    if (state->wake == nullptr) return;  // written by this thread alone: a task ended the receiver
    task();
  }
}

}  // namespace holdfast
