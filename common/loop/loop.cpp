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
}

Loop::~Loop() {
  destroy_retired();
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  // The close callbacks of all that was dropped. A stop() that came after the last run() ends the first of these at
  // once.
  while (uv_run(&loop_, UV_RUN_DEFAULT) != 0) {
  }
  destroy_retired();
  HF_ASSERT(uv_loop_close(&loop_) == 0);  // else somebody forgot to drop a handle
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void Loop::stop() { uv_stop(&loop_); }

void Loop::defer(void* object, Deferred task) { deferred_.push_back({object, task, false}); }

void Loop::run_deferred() {
  output_.flush_all();
  for (std::size_t i = 0; i < deferred_.size(); ++i) {  // by index: what runs may defer more
    const Entry entry = deferred_[i];
    entry.run(entry.object);
  }
  deferred_.clear();
  output_.flush_all();  // what they wrote
}

void Loop::destroy_retired() {
  for (std::size_t i = 0; i < deferred_.size(); ++i) {  // by index: what is destroyed may retire more
    const Entry entry = deferred_[i];
    if (entry.is_retired) entry.run(entry.object);
  }
  deferred_.clear();
}

}  // namespace holdfast
