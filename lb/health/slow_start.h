// A server that comes back cold gets little at first: its share of the requests grows evenly until `slow_start` is
// over. Pure; time is an argument. Thread: any.
#pragma once

#include <algorithm>
#include <chrono>

namespace holdfast::lb {

/// It begins with this part of its weight: enough to warm it, and for a failure to be seen.
inline constexpr unsigned kSlowStartFirst = 10;

/// The percentage of its weight that a server gets so long after its return.
constexpr unsigned slow_start_percent(std::chrono::milliseconds since, std::chrono::milliseconds length) {
  if (length.count() <= 0 || since >= length) return 100;
  const auto grown = (100 - kSlowStartFirst) * std::max<long>(since.count(), 0) / length.count();
  return kSlowStartFirst + static_cast<unsigned>(grown);
}

/// How often the share is set anew: in steps too small to see, yet not for each request.
constexpr std::chrono::milliseconds slow_start_step(std::chrono::milliseconds length) {
  return std::clamp(length / 90, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
}

}  // namespace holdfast::lb
