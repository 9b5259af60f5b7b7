#include "app/http/stats_request.h"

#include "app/http/api_call.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

namespace holdfast::app {
namespace {

struct ByName {
  std::string_view name;
  StatsBy by;
};
constexpr std::array kBys{ByName{"day", StatsBy::Day}, ByName{"hour", StatsBy::Hour},
                          ByName{"referrer", StatsBy::Referrer}, ByName{"device", StatsBy::Device},
                          ByName{"visitors", StatsBy::Visitors}};

int number_of(std::string_view digits) {
  int number = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return problem == std::errc{} && end == digits.data() + digits.size() && digits.front() != '-' ? number : -1;
}

/// A day as `2026-01-31`, of a year that clicks may be of.
std::optional<std::chrono::sys_days> day_of(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int year = number_of(text.substr(0, 4));
  const int month = number_of(text.substr(5, 2));
  const int day = number_of(text.substr(8, 2));
  if (year < 1970 || month < 1 || day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

/// What names of zones are made of; their list is the database's.
bool may_be_zone(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_letter);
}

/// text/csv is named, and JSON is not.
bool accepts_csv(std::string_view accept) {
  return accept.find("text/csv") != std::string_view::npos && accept.find("json") == std::string_view::npos;
}

std::string_view wrong_with_days(const StatsRequest& request) {
  if (request.from.empty() || request.to.empty()) return {};
  const auto from = day_of(request.from);
  const auto to = day_of(request.to);
  if (!from || !to) return {};
  const auto days = (*to - *from).count() + 1;
  return days < 1 || days > request.days_max() ? "?from" : "";
}

}  // namespace

std::string_view name_of(StatsBy by) {
  return std::find_if(kBys.begin(), kBys.end(), [by](const ByName& each) { return each.by == by; })->name;
}

FieldError wrong_range(const StatsRequest& request) {
  return {"?from", "from must be no later than to, and the two span at most " + std::to_string(request.days_max()) +
                       " days" + (request.by == StatsBy::Hour ? " where hours are told" : "")};
}

FieldError wrong_zone(const StatsRequest& request) {
  return {"?tz", "'" + request.zone.substr(0, 64) +
                     "' is no time zone; allowed: names of the IANA database such as "
                     "Europe/Madrid, spelled as there"};
}

tl::expected<StatsRequest, std::vector<FieldError>> parse_stats(std::string_view query, std::string_view accept) {
  StatsRequest request;
  request.is_csv = accepts_csv(accept);
  std::vector<FieldError> errors;
  const auto wrong = [&](std::string_view name, std::string why) {
    if (errors.size() < 32) errors.push_back({"?" + std::string(name.substr(0, 64)), std::move(why)});
  };
  for (const auto& [name, value] : parse_query(query)) {
    if (name == "tz") {
      request.zone = value;
      if (!may_be_zone(value)) errors.push_back(wrong_zone(request));
    } else if (name == "from" || name == "to") {
      if (!day_of(value)) wrong(name, "it must be a day such as 2026-01-31");
      (name == "from" ? request.from : request.to) = value;
    } else if (name == "by") {
      const auto found =
          std::find_if(kBys.begin(), kBys.end(), [&wanted = value](const ByName& each) { return each.name == wanted; });
      if (found == kBys.end()) {
        wrong(name, "allowed: day, hour, referrer, device, visitors");
      } else {
        request.by = found->by;
      }
    } else if (name == "format") {
      if (value != "json" && value != "csv") wrong(name, "allowed: json, csv");
      request.is_csv = value == "csv";
    } else if (name == "excludeBots") {
      if (value != "true" && value != "false") wrong(name, "allowed: true, false");
      request.excludes_bots = value == "true";
    } else {
      wrong(name, "not known here; known are from, to, tz, by, excludeBots and format");
    }
  }
  if (!wrong_with_days(request).empty()) errors.push_back(wrong_range(request));
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return request;
}

}  // namespace holdfast::app
