// The time as clicks have it.
#pragma once

#include <chrono>
#include <cstdint>

namespace holdfast::app {

/// Milliseconds since 1970, of the wall clock.
inline std::int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace holdfast::app
