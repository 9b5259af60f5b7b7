// Which of many equal messages may pass: one a second, which tells how many were held back before it.
// Thread: one at a time. Time is an argument.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace holdfast {

class RepeatLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Verdict {
    bool may_pass = false;
    std::uint64_t repeated = 0;  // held back since the last one that passed
  };

  static constexpr std::chrono::seconds kPause{1};
  static constexpr std::size_t kRemembered = 1000;

  /// Judges one more `event` about `subject`. Where too many subjects are about, the new ones share one pause.
  Verdict judge(std::string_view event, std::string_view subject, TimePoint now);

 private:
  struct Recent {
    TimePoint passed;
    std::uint64_t repeated = 0;
  };

  std::map<std::string, Recent> recent_;
  TimePoint swept_{};
};

}  // namespace holdfast
