// Durations and sizes with their units: read and print.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

/// Reads `250ms`, `2s`, `1.5m`, `1h`, `7d`, or `0`. Nothing where it is anything else: a number without unit is no
/// duration, nor is a part of a millisecond.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// In the largest unit that leaves a whole number: `1500ms`, `2s`, `1h`.
std::string print_duration(std::chrono::milliseconds duration);

/// Reads `64KiB`, `10MiB`, `1GiB`, `512B` or plain bytes. KB, MB and GB are powers of ten.
std::optional<std::size_t> parse_size(std::string_view text);
std::string print_size(std::size_t bytes);

constexpr std::size_t operator""_KiB(unsigned long long count) { return static_cast<std::size_t>(count) * 1024; }
constexpr std::size_t operator""_MiB(unsigned long long count) { return static_cast<std::size_t>(count) * 1024 * 1024; }

}  // namespace holdfast
