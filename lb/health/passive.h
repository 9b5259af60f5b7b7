// Failures that clients met: how many make an ejection, and for how long. Pure; time is an argument.
// Thread: control.
#pragma once

#include "common/loop/loop.h"
#include "lb/pool/settings.h"
#include "lb/reasons.h"

#include <deque>
#include <optional>
#include <string>

namespace holdfast::lb {

/// One server's record.
class PassiveHealth {
 public:
  explicit PassiveHealth(const PassiveSettings& settings) : settings_(settings) {}

  struct Ejection {
    TimePoint until;
    std::string reason;
  };

  /// `count` attempts ended with `result` since the last call. An ejection where that is one too many: a refused
  /// connection is enough by itself, of other failures max_fails within fail_window.
  std::optional<Ejection> on_failures(AttemptResult result, std::uint64_t count, TimePoint now);
  /// A probe passed: what was before is forgiven, though the next ejection in a row lasts longer for a while yet.
  void on_pass(TimePoint now);

 private:
  Ejection eject(TimePoint now, std::string reason);

  const PassiveSettings& settings_;
  std::deque<TimePoint> recent_;  // at most max_fails of them
  unsigned ejections_in_a_row_ = 0;
  TimePoint last_ejection_end_{};
};

}  // namespace holdfast::lb
