#include "common/time_text.h"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace holdfast {
namespace {

/// Takes `digits` digits off the front; -1 where they are not there.
int take_digits(std::string_view& text, std::size_t digits) {
  int number = 0;
  if (text.size() < digits) return -1;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + digits, number);
  if (problem != std::errc{} || end != text.data() + digits || text.front() == '-') return -1;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, std::string_view letters) {
  if (text.empty() || letters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = static_cast<std::time_t>(since.count() / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof(text) - length, ".%03dZ", static_cast<int>(since.count() % 1000));
  return text;
}

std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text) {
  const int year = take_digits(text, 4);
  if (year < 1970 || !take(text, "-")) return std::nullopt;
  const int month = take_digits(text, 2);
  if (!take(text, "-")) return std::nullopt;
  const int day = take_digits(text, 2);
  if (month < 1 || day < 1 || !take(text, "Tt ")) return std::nullopt;
  const int hour = take_digits(text, 2);
  if (!take(text, ":")) return std::nullopt;
  const int minute = take_digits(text, 2);
  if (!take(text, ":")) return std::nullopt;
  const int second = take_digits(text, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  int milliseconds = 0;
  if (take(text, ".")) {
    int scale = 100;
    std::size_t digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++digits) {
      milliseconds += (text.front() - '0') * scale;
      scale /= 10;
    }
    if (digits == 0 || digits > 9) return std::nullopt;
  }
  int offset_minutes = 0;
  if (!take(text, "Zz")) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    const int sign = text.front() == '+' ? 1 : -1;
    text.remove_prefix(1);
    const int hours = take_digits(text, 2);
    if (!take(text, ":")) return std::nullopt;
    const int minutes = take_digits(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset_minutes = sign * (hours * 60 + minutes);
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!text.empty() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute - offset_minutes) +
         std::chrono::seconds(second) + std::chrono::milliseconds(milliseconds);
}

}  // namespace holdfast
