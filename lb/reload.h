// A new configuration for a running process: read and checked whole, beside the loop; then it is in force, or nothing
// has changed. Thread: control.
//
//   Idle ──▶ Reading (a thread of its own: names are resolved) ──▶ Asking (about keys) ──▶ Idle      any ──▶ Ended
#pragma once

#include "common/loop/mailbox.h"
#include "common/loop/timeouts.h"
#include "lb/config.h"
#include "lb/health/key_inquiry.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::lb {

/// What came of one.
struct ReloadOutcome {
  std::vector<std::string> errors;  // each with what is wrong; empty where all is well
  std::vector<ConfigChange> changes;
  std::vector<std::string> warnings;
  bool is_well() const { return errors.empty(); }
};

class Reload {
 public:
  using Done = std::function<void(const ReloadOutcome&)>;
  /// Puts settings in force. An error means that nothing has changed.
  using Apply = std::function<Result<void>(Settings settings)>;

  /// `file` is read each time; `running` is what was read at the start.
  Reload(Loop& loop, TimeoutClass& timeouts, std::string file, Settings running, Apply apply);
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  /// One after the other; `done` is called later. `is_dry`: says what would change, and changes nothing. False where
  /// too many wait already.
  bool start(bool is_dry, Done done);
  /// lb ends: reloads that have not been applied fail now, and none begins any more. Waits for no DNS server.
  void end();

  bool was_last_well() const { return was_last_well_; }
  /// When the configuration in force was read.
  std::chrono::system_clock::time_point since() const { return since_; }
  std::uint64_t succeeded() const { return succeeded_; }
  std::uint64_t failed() const { return failed_; }

 private:
  struct Wanted {
    bool is_dry;
    Done done;
  };
  static constexpr std::size_t kWantedMax = 16;

  void read_next();
  void on_read(LoadedConfig loaded);
  void on_asked(const std::optional<std::string>& objection);
  void finish(std::vector<std::string> errors);

  std::string file_;
  Settings running_;
  Apply apply_;
  KeyInquiry inquiry_;
  std::unique_ptr<Mailbox> inbox_;  // of the reader; null after end()
  std::jthread reader_;             // its end asks it to stop, and waits for it
  std::deque<Wanted> wanted_;       // the first is under way
  Settings next_;
  std::vector<ConfigChange> changes_;
  std::vector<std::string> warnings_;
  bool was_last_well_ = true;
  std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
  std::uint64_t succeeded_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace holdfast::lb
