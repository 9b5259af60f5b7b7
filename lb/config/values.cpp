#include "lb/config/values.h"

#include <charconv>
#include <string>

namespace holdfast::lb {
namespace {

constexpr std::string_view kStatusAllowed = "a status or range of them, such as 204 or 200-299";

Wrong parse_status(std::vector<StatusRange>& ranges, std::string_view text) {
  const auto number = [](std::string_view digits) {
    int value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return problem == std::errc{} && end == digits.data() + digits.size() && value >= 100 && value <= 599 ? value : 0;
  };
  const auto dash = text.find('-');
  const StatusRange range{number(text.substr(0, dash)), number(dash == text.npos ? text : text.substr(dash + 1))};
  if (range.first == 0 || range.last < range.first) return "not a status";
  ranges.push_back(range);
  return std::nullopt;
}

std::vector<std::string> print_status(const std::vector<StatusRange>& ranges) {
  std::vector<std::string> texts;
  for (const StatusRange& range : ranges) {
    const std::string first = std::to_string(range.first);
    texts.push_back(range.first == range.last ? first : first + "-" + std::to_string(range.last));
  }
  return texts;
}

}  // namespace

Keys::Added add_status(Keys& keys, std::string_view name, std::vector<StatusRange>& ranges, std::string_view help) {
  return keys.add_list(
      name, help, kStatusAllowed, [&ranges] { ranges.clear(); },
      [&ranges](std::string_view text) { return parse_status(ranges, text); },
      [&ranges] { return print_status(ranges); });
}

Wrong wrong_path(std::string_view path) {
  if (path.front() == '/' && path.find_first_of(" \t\r\n#") == path.npos) return std::nullopt;
  return "'" + std::string(path) + "' is not a path; allowed: a path such as /health";
}

}  // namespace holdfast::lb
