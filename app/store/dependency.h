// What is told about something that we depend on: up or down, since when and why. For /health, metrics and the log.
// Thread: the loop's.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace holdfast::app {

class Dependency {
 public:
  using Clock = std::chrono::system_clock;

  explicit Dependency(std::string_view name) : name_(name) {}

  /// Notes the state, and logs it where it changed. `why` of a fault that repeats is taken over silently.
  void set(bool is_up, std::string_view why);

  const std::string& name() const { return name_; }
  bool is_up() const { return is_up_; }
  /// False until it was found up or down for the first time.
  bool is_known() const { return was_told_; }
  /// Since when it is as it is.
  Clock::time_point since() const { return since_; }
  /// Why it is down; empty where it is up.
  const std::string& why() const { return why_; }

 private:
  std::string name_;
  bool is_up_ = false;
  bool was_told_ = false;  // before the first word it is down without a line in the log
  Clock::time_point since_ = Clock::now();
  std::string why_ = "not connected yet";
};

}  // namespace holdfast::app
