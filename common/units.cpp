#include "common/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

namespace holdfast {
namespace {

struct Quantity {
  double number = 0;
  std::string_view unit;
};

std::optional<Quantity> split(std::string_view text) {
  Quantity quantity;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), quantity.number, std::chars_format::fixed);
  if (problem != std::errc{} || !std::isfinite(quantity.number) || std::signbit(quantity.number)) return std::nullopt;
  quantity.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!quantity.unit.empty() && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
  return quantity;
}

template <std::size_t N>
std::optional<double> scale_of(const std::array<std::pair<std::string_view, double>, N>& units, std::string_view unit) {
  for (const auto& [name, scale] : units) {
    if (name == unit) return scale;
  }
  return std::nullopt;
}

constexpr double kLargest = 9e15;  // whole numbers are exact in a double up to here

/// The quantity in the smallest unit. Nothing where a part of that unit would be lost: `0.4ms` is not 0.
std::optional<double> whole(double number, double scale) {
  const double scaled = number * scale;
  const double rounded = std::round(scaled);
  if (scaled > kLargest || std::abs(scaled - rounded) > 1e-6) return std::nullopt;
  return rounded;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
  const auto quantity = split(text);
  if (!quantity) return std::nullopt;
  if (quantity->unit.empty() && quantity->number == 0) return std::chrono::milliseconds(0);
  const auto scale = scale_of(kUnits, quantity->unit);
  if (!scale) return std::nullopt;
  const auto ms = whole(quantity->number, *scale);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

std::string print_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms == 0) return "0s";
  if (ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

std::optional<std::size_t> parse_size(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 8> kUnits{
      {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}};
  const auto quantity = split(text);
  if (!quantity) return std::nullopt;
  const auto scale = scale_of(kUnits, quantity->unit);
  if (!scale) return std::nullopt;
  const auto bytes = whole(quantity->number, *scale);
  if (!bytes) return std::nullopt;
  return static_cast<std::size_t>(*bytes);
}

std::string print_size(std::size_t bytes) {
  if (bytes != 0 && bytes % (std::size_t{1} << 30) == 0) return std::to_string(bytes >> 30) + "GiB";
  if (bytes != 0 && bytes % (std::size_t{1} << 20) == 0) return std::to_string(bytes >> 20) + "MiB";
  if (bytes != 0 && bytes % 1024 == 0) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes) + "B";
}

}  // namespace holdfast
