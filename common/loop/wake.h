// A wake-up call from any thread to one loop. Calls between two turns are one: it says that something changed, not
// what.
#pragma once

#include "common/loop/loop.h"

namespace holdfast {

class Wake {
 public:
  using Woken = void (*)(void* owner);

  /// Thread: the loop's. It must be destroyed before its loop, and after every thread that may send().
  Wake(Loop& loop, void* owner, Woken woken) : block_(new Block{{}, owner, woken}) {
    block_->async.data = block_;
    uv_async_init(loop.uv(), &block_->async, [](uv_async_t* async) {
      const Block* block = static_cast<Block*>(async->data);
      if (block->owner != nullptr) block->woken(block->owner);
    });
  }
  ~Wake() {
    block_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&block_->async),
             [](uv_handle_t* closed) { delete static_cast<Block*>(closed->data); });
  }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  /// Thread: any. Neither blocks nor allocates.
  void send() { uv_async_send(&block_->async); }

 private:
  struct Block {
    uv_async_t async;
    void* owner;
    Woken woken;
  };
  Block* block_;  // freed by its close callback
};

}  // namespace holdfast
