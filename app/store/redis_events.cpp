#include "app/store/redis_events.h"

#include <memory>

namespace holdfast::app {
namespace {

struct Events {
  uv_poll_t poll{};
  redisAsyncContext* context = nullptr;  // null once hiredis let go
  Loop* loop = nullptr;
  int wanted = 0;
  bool is_writing_soon = false;
  bool is_writing = false;
};

bool is_connected(const Events& events) { return (events.context->c.flags & REDIS_CONNECTED) != 0; }

void on_poll(uv_poll_t* handle, int status, int ready) noexcept {
  Events& events = *static_cast<Events*>(handle->data);
  if (status < 0) {
    events.wanted = 0;    // libuv has stopped watching; bytes may be there all the same, and then the error
    ready = UV_READABLE;  // hiredis reads, finds out why, or asks to be told again
  }
  if (events.context != nullptr && (ready & UV_READABLE) != 0) redisAsyncHandleRead(events.context);
  if (events.context != nullptr && (ready & UV_WRITABLE) != 0) redisAsyncHandleWrite(events.context);
}

void want(Events& events, int wanted) {
  if (events.wanted == wanted) return;
  events.wanted = wanted;
  if (wanted == 0) {
    uv_poll_stop(&events.poll);
  } else {
    uv_poll_start(&events.poll, wanted, on_poll);
  }
}

void write_soon(void* object) {
  Events& events = *static_cast<Events*>(object);
  events.is_writing_soon = false;
  if (events.context == nullptr) return;
  events.is_writing = true;
  redisAsyncHandleWrite(events.context);
  events.is_writing = false;
}

void add_read(void* data) {
  Events& events = *static_cast<Events*>(data);
  want(events, events.wanted | UV_READABLE);
}

void del_read(void* data) {
  Events& events = *static_cast<Events*>(data);
  want(events, events.wanted & ~UV_READABLE);
}

void add_write(void* data) {
  Events& events = *static_cast<Events*>(data);
  if ((events.wanted & UV_WRITABLE) != 0 || events.is_writing_soon) return;
  // The end of connecting, and room in a full socket, are told by the poll alone.
  if (!is_connected(events) || events.is_writing) return want(events, events.wanted | UV_WRITABLE);
  events.is_writing_soon = true;
  events.loop->defer(&events, write_soon);
}

void del_write(void* data) {
  Events& events = *static_cast<Events*>(data);
  want(events, events.wanted & ~UV_WRITABLE);
}

void cleanup(void* data) {
  Events& events = *static_cast<Events*>(data);
  events.context = nullptr;
  uv_poll_stop(&events.poll);  // before hiredis closes the socket
  uv_close(reinterpret_cast<uv_handle_t*>(&events.poll), [](uv_handle_t* handle) {
    // A write may be deferred still: what is retired goes after it.
    Events* closed = static_cast<Events*>(handle->data);
    closed->loop->retire(std::unique_ptr<Events>(closed));
  });
}

}  // namespace

bool attach_events(Loop& loop, redisAsyncContext& context) {
  auto events = std::make_unique<Events>();
  if (uv_poll_init(loop.uv(), &events->poll, context.c.fd) != 0) return false;
  events->poll.data = events.get();
  events->context = &context;
  events->loop = &loop;
  context.ev.addRead = add_read;
  context.ev.delRead = del_read;
  context.ev.addWrite = add_write;
  context.ev.delWrite = del_write;
  context.ev.cleanup = cleanup;
  context.ev.data = events.release();
  return true;
}

}  // namespace holdfast::app
