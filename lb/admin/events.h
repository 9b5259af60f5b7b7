// What happens, as it happens: server-sent events for whoever watches the admin port. Each is a line of our log.
// Thread: control.
#pragma once

#include "common/http/server.h"
#include "common/loop/mailbox.h"
#include "common/loop/timeouts.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

class Events {
 public:
  /// One of them at a time: the log has one listener.
  Events(Loop& loop, Timeouts& timeouts);
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  /// Begins a stream with `first`, events as event_text() makes them; false, and nothing said, where there are too
  /// many. A watcher who takes too little of it is left.
  bool add(Responder& responder, std::string_view first);
  /// Ends all streams; their watchers come again, and find who serves then.
  void end();

 private:
  struct Post;
  void listen();
  void tell(std::string_view text);
  void on_pause();

  Loop& loop_;
  TimeoutClass& timeouts_;
  Timeout next_sign_;
  std::vector<Responder> watchers_;
  std::unique_ptr<Post> post_;  // null while nobody watches
};

/// One event of the stream. `json` has no line break.
std::string event_text(std::string_view name, std::string_view json);

}  // namespace holdfast::lb
