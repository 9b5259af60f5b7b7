// Times as RFC 3339 has them; ours are in UTC with milliseconds: `2026-01-31T11:46:41.123Z`.
// Thread: any.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

std::string rfc3339(std::chrono::system_clock::time_point time);

/// Reads `2026-01-31T11:46:41Z`, with or without a fraction, with any offset. Nothing where it is no such time.
std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);

}  // namespace holdfast
