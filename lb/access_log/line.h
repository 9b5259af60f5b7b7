// An entry of the access log as a line of text.
// Thread: worker.
#pragma once

#include "lb/access_log/entry.h"
#include "lb/pool/settings.h"

#include <array>
#include <chrono>
#include <ctime>
#include <string>

namespace holdfast::lb {

/// A second of UTC as a format writes it, made anew only once it is over.
class SecondText {
 public:
  /// `2026-11-25T06:52:44`; good until the next call.
  std::string_view iso(std::time_t second) { return make(second, "%Y-%m-%dT%H:%M:%S"); }
  /// `25/Nov/2026:06:52:44 +0000`, likewise.
  std::string_view common(std::time_t second);

 private:
  std::string_view make(std::time_t second, const char* format);

  std::time_t at_ = -1;
  std::array<char, 32> text_{};
  std::size_t length_ = 0;
};

/// Appends the line of a request that ended at `now`, and its end of line.
void append_line(std::string& out, AccessFormat format, const AccessEntry& entry,
                 std::chrono::system_clock::time_point now, SecondText& second);

}  // namespace holdfast::lb
