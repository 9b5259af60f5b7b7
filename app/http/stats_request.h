// What is asked of the statistics: which days of which time zone, counted by what, as JSON or CSV.
// Thread: any.
#pragma once

#include "app/http/problem.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// What a line of the CSV is about; Hour also has the JSON tell hours.
enum class StatsBy : std::uint8_t { Day, Hour, Referrer, Device, Visitors };

struct StatsRequest {
  static constexpr int kDaysMax = 366;
  static constexpr int kHoursDaysMax = 31;  // where hours are told

  std::string zone = "UTC";
  std::string from;  // 2026-01-31; empty: 30 days up to `to`
  std::string to;    // the last day; empty: today there
  StatsBy by = StatsBy::Day;
  bool is_csv = false;
  bool excludes_bots = false;

  int days_max() const { return by == StatsBy::Hour ? kHoursDaysMax : kDaysMax; }
};

/// Every parameter that is wrong at once. Whether there is such a zone, and what today is in it, the database knows.
tl::expected<StatsRequest, std::vector<FieldError>> parse_stats(std::string_view query, std::string_view accept);

/// What is said of a range that is none, or too long.
FieldError wrong_range(const StatsRequest& request);
FieldError wrong_zone(const StatsRequest& request);

std::string_view name_of(StatsBy by);

}  // namespace holdfast::app
