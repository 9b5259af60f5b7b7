// The next lb takes over from this one: its binary is started with our listening sockets, so that no connection in an
// accept queue is lost, and says when it serves. Until then nothing changes here. Thread: control.
//
//   Idle ──▶ Starting ──▶ the new one serves: ours may drain
//    ▲          │
//    └──────────┴── it ended, or took too long: we go on
#pragma once

#include "common/loop/loop.h"
#include "common/loop/mailbox.h"
#include "common/loop/timeouts.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::lb {

/// The variable that names the descriptor on which the new process says that it serves.
inline constexpr const char* kReadyVariable = "LB_READY_FD";

class Handover {
 public:
  /// `pid` is the new process's; `failure`: why there is none.
  using Done = std::function<void(int pid, const std::optional<std::string>& failure)>;

  /// `command`: the path of the binary and its arguments, as this process was started.
  Handover(Loop& loop, TimeoutClass& timeouts, std::vector<std::string> command);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  /// Gives the new process these sockets, which stay ours as well. `done` is called later. False where one is under
  /// way.
  bool start(const std::vector<int>& sockets, Done done);

 private:
  struct Child;
  void on_word();
  void look_at_end();
  void on_late();
  void finish(const std::optional<std::string>& failure);

  Loop& loop_;
  Mailbox later_;
  TimeoutClass& timeouts_;
  std::vector<std::string> command_;
  Timeout late_;
  Timeout look_;
  Child* child_ = nullptr;  // freed by its close callback
  Done done_;
};

/// In the new process: tells whoever started it, if that was a handover, that it serves.
void tell_ready();

}  // namespace holdfast::lb
