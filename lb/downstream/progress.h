// Whether a client moves as fast as it must: bytes are counted over a window, so that a dribble does not win time.
// Pure; the connection has one for the request's body and one for the response.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::lb {

/// So many bytes are due in a window: what the rate says, and at least one.
constexpr std::uint64_t due_bytes(std::size_t bytes_a_second, std::chrono::milliseconds window) {
  return std::max<std::uint64_t>(1, bytes_a_second * static_cast<std::uint64_t>(window.count()) / 1000);
}

/// One window: begun at a count of bytes that only grows, judged at its end.
class ProgressWindow {
 public:
  void begin(std::uint64_t bytes) { from_ = bytes; }
  bool is_enough(std::uint64_t bytes, std::uint64_t due) const { return bytes >= from_ + due; }

 private:
  std::uint64_t from_ = 0;
};

}  // namespace holdfast::lb
