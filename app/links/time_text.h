// A time as RFC 3339 has it, in UTC with milliseconds: `2026-01-31T11:46:41.123Z`.
// Thread: any.
#pragma once

#include <chrono>
#include <string>

namespace holdfast::app {

std::string rfc3339(std::chrono::system_clock::time_point time);

}  // namespace holdfast::app
