#include "app/operate/table.h"

#include "common/escape.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace holdfast::app {
namespace {

constexpr std::size_t kCellMax = 120;

std::string two(std::int64_t large, const char* large_unit, std::int64_t small, const char* small_unit) {
  std::string text = std::to_string(large) + large_unit;
  if (small > 0) text += " " + std::to_string(small) + small_unit;
  return text;
}

}  // namespace

std::string table_of(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& numbers) {
  std::vector<std::vector<std::string>> shown;
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    auto& cells = shown.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(escaped(row[i], kCellMax));
      if (widths.size() <= i) widths.resize(i + 1);
      widths[i] = std::max(widths[i], cells.back().size());
    }
  }
  std::string out;
  for (const auto& cells : shown) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string blanks(widths[i] - cells[i].size(), ' ');
      const bool is_number = i < numbers.size() && numbers[i];
      if (i > 0) line += "  ";
      if (is_number) line += blanks;
      line += cells[i];
      if (!is_number) line += blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::max(seconds, 0.0));
  if (whole < 10) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f s", std::max(seconds, 0.0));
    return text.data();
  }
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3'600) return two(whole / 60, " min", whole % 60, " s");
  if (whole < 86'400) return two(whole / 3'600, " h", whole % 3'600 / 60, " min");
  return two(whole / 86'400, " d", whole % 86'400 / 3'600, " h");
}

std::string size_text(std::int64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, kUnits[unit]);
  return text.data();
}

}  // namespace holdfast::app
