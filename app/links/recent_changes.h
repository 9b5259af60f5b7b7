// Codes whose changes this instance heard of a moment ago. Another instance may hear of them later, and may until then
// leave the old state in Redis: what Redis says of such a code is not asked.
// Thread: the loop's.
#pragma once

#include "common/loop/timeouts.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace holdfast::app {

class RecentChanges {
 public:
  /// Longer than any instance that still fills Redis is behind another in the feed.
  explicit RecentChanges(std::chrono::milliseconds memory = std::chrono::seconds(10), std::size_t entries_max = 100'000)
      : memory_(memory), entries_max_(entries_max) {}

  void add(std::string_view code, TimePoint now) {
    forget(now);
    while (by_age_.size() >= entries_max_) forget_oldest();
    by_code_.insert_or_assign(std::string(code), now);
    by_age_.emplace_back(now, code);
  }
  bool has(std::string_view code, TimePoint now) {
    forget(now);
    return by_code_.contains(code);
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void forget(TimePoint now) {
    while (!by_age_.empty() && now - by_age_.front().first > memory_) forget_oldest();
  }
  void forget_oldest() {
    const auto& [at, code] = by_age_.front();
    const auto known = by_code_.find(code);
    if (known != by_code_.end() && known->second == at) by_code_.erase(known);
    by_age_.pop_front();
  }

  std::chrono::milliseconds memory_;
  std::size_t entries_max_;
  std::unordered_map<std::string, TimePoint, Hash, std::equal_to<>> by_code_;
  std::deque<std::pair<TimePoint, std::string>> by_age_;  // a code may stand here more than once
};

}  // namespace holdfast::app
