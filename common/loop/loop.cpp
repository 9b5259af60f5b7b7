#include "common/loop/loop.h"

#include "common/assert.h"

#include <utility>

namespace holdfast {

Loop::Loop() {
  HF_ASSERT(uv_loop_init(&loop_) == 0);
  loop_.data = this;
  HF_ASSERT(uv_prepare_init(&loop_, &prepare_) == 0);
  prepare_.data = this;
  HF_ASSERT(
      uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<Loop*>(handle->data)->run_deferred(); }) == 0);
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  HF_ASSERT(uv_async_init(&loop_, &wake_, [](uv_async_t* handle) { static_cast<Loop*>(handle->data)->run_posted(); }) ==
            0);
  wake_.data = this;
}

Loop::~Loop() {
  run_posted();
  run_deferred();
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  // The close callbacks of all that was dropped. A stop() that came after the last run() ends the first of these at
  // once.
  while (uv_run(&loop_, UV_RUN_DEFAULT) != 0) {
  }
  run_deferred();
  HF_ASSERT(uv_loop_close(&loop_) == 0);  // else somebody forgot to drop a handle
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void Loop::stop() { uv_stop(&loop_); }

void Loop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  uv_async_send(&wake_);
}

void Loop::defer(void* object, Deferred task) { deferred_.push_back({object, task}); }

void Loop::run_deferred() {
  output_.flush_all();
  for (std::size_t i = 0; i < deferred_.size(); ++i) {  // by index: what runs may defer more
    const Entry entry = deferred_[i];
    entry.run(entry.object);
  }
  deferred_.clear();
  output_.flush_all();  // what they wrote
}

void Loop::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

}  // namespace holdfast
