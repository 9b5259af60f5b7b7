#include "lb/health/stall.h"

#include <algorithm>

namespace holdfast::lb {

ServerActivity activity_of(const Server& server) {
  ServerActivity activity;
  for (const auto& counters : server.counters()) {
    const TimePoint heard{std::chrono::milliseconds(counters->heard_ms.value())};
    const TimePoint since{std::chrono::milliseconds(counters->awaited_since_ms.value())};
    activity.heard = std::max(activity.heard, heard);
    const std::int64_t awaited = counters->awaited.value();
    if (awaited <= 0) continue;
    if (activity.awaited == 0 || since < activity.waiting_since) activity.waiting_since = since;
    activity.awaited += awaited;
  }
  return activity;
}

std::chrono::milliseconds unusual_silence(std::chrono::milliseconds p99, std::chrono::milliseconds least) {
  return std::clamp(3 * p99, least, std::max(least, std::chrono::milliseconds(1000)));
}

bool StallWatch::is_suspect(std::chrono::milliseconds silence, TimePoint now) {
  if (now - silence > silent_since_) {
    silent_since_ = now - silence;
    patience_ = std::chrono::milliseconds(0);
  }
  if (silence < patience_ || now < acquitted_ + gap_) return false;
  patience_ = 2 * silence;
  return true;
}

void StallWatch::acquit(TimePoint now) {
  gap_ = now > acquitted_ + kForgotten ? kGapMin : std::min(2 * gap_, kGapMax);
  acquitted_ = now;
}

}  // namespace holdfast::lb
