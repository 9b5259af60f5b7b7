#include "common/repeat_limit.h"

#include <utility>

namespace holdfast {

RepeatLimit::Verdict RepeatLimit::judge(std::string_view event, std::string_view subject, TimePoint now) {
  const std::string shared = std::string(event) + '\n';
  std::string key = shared + std::string(subject);
  if (recent_.size() >= kRemembered && !recent_.contains(key)) {
    if (now - swept_ >= kPause) {  // not for each of a flood
      std::erase_if(recent_, [&](const auto& one) { return now - one.second.passed >= kPause; });
      swept_ = now;
    }
    if (recent_.size() >= kRemembered) key = shared;
  }
  const auto [found, is_new] = recent_.try_emplace(std::move(key), Recent{.passed = now});
  Recent& recent = found->second;
  if (!is_new && now - recent.passed < kPause) {
    ++recent.repeated;
    return {};
  }
  recent.passed = now;
  return {.may_pass = true, .repeated = std::exchange(recent.repeated, 0)};
}

}  // namespace holdfast
