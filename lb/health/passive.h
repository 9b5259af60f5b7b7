// Failures that clients met: how many make an ejection, for how long, and of whom. Pure; time is an argument.
// Thread: control; suffers() any.
#pragma once

#include "common/loop/loop.h"
#include "lb/pool/settings.h"
#include "lb/reasons.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::lb {

/// An answer of which `passive` says that clients suffer from it, though it is one.
enum class BadAnswer : std::uint8_t { None, Status, Slow };
inline BadAnswer judge_answer(const PassiveSettings& settings, int status, std::chrono::nanoseconds first_byte) {
  const bool is_bad = std::any_of(settings.statuses.begin(), settings.statuses.end(),
                                  [status](StatusRange range) { return range.contains(status); });
  if (is_bad) return BadAnswer::Status;
  return settings.latency.count() > 0 && first_byte > settings.latency ? BadAnswer::Slow : BadAnswer::None;
}

/// What an ejection would leave of a pool.
struct PoolStanding {
  std::size_t servers = 0;
  std::size_t usable_others = 0;  // that may get requests
  std::size_t ejected = 0;
};
/// Never the last usable server; nor more than `most_percent` of them at a time, though one in any case. A refused
/// connection leaves no doubt: such a server is no loss.
constexpr bool may_eject(const PoolStanding& pool, unsigned most_percent, bool was_refused) {
  if (pool.usable_others == 0) return false;
  return was_refused || pool.ejected + 1 <= std::max<std::size_t>(1, pool.servers * most_percent / 100);
}

/// One server's record.
class PassiveHealth {
 public:
  explicit PassiveHealth(const PassiveSettings& settings) : settings_(&settings) {}
  /// A reload says this now; `settings` must outlive it.
  void take(const PassiveSettings& settings) { settings_ = &settings; }

  /// `count` attempts ended with `result` since the last call. Why it should be ejected, where that is one too many: a
  /// refused connection is enough by itself, of other failures max_fails within fail_window, on trial one of any kind.
  std::optional<std::string> on_failures(AttemptResult result, std::uint64_t count, TimePoint now);
  /// Likewise of answers that clients suffered from.
  std::optional<std::string> on_bad_answers(BadAnswer kind, std::uint64_t count, TimePoint now);
  /// Until when: each time in a row for twice as long, up to eject_max; `dice` (0 to 1) makes it up to a tenth shorter
  /// or longer, so that servers that went together do not come back together.
  TimePoint eject(TimePoint now, double dice);

  /// An ejection is over, and nobody but a client can tell whether the server is well: the first answer will.
  void begin_trial() { is_on_trial_ = true; }
  void end_trial() { is_on_trial_ = false; }
  bool is_on_trial() const { return is_on_trial_; }
  /// A probe passed: an ejection is over, though the next one in a row lasts longer for a while yet. It does not speak
  /// for other paths than its own: what clients met still counts.
  void on_pass(TimePoint now);
  /// It is another server by now.
  void forget() {
    recent_.clear();
    ejections_in_a_row_ = 0;
    last_ejection_end_ = {};
    is_on_trial_ = false;
  }

 private:
  std::optional<std::string> count(std::uint64_t count, std::string_view what, TimePoint now);

  const PassiveSettings* settings_;
  std::deque<TimePoint> recent_;  // at most max_fails of them
  unsigned ejections_in_a_row_ = 0;
  TimePoint last_ejection_end_{};
  bool is_on_trial_ = false;
};

}  // namespace holdfast::lb
