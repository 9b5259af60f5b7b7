#include "app/http/stats_request.h"

#include <doctest/doctest.h>

#include <string>

namespace holdfast::app {
namespace {

/// The parameters that are wrong, with blanks between them.
std::string wrong(std::string_view query) {
  const auto request = parse_stats(query, "");
  std::string names;
  if (request) return names;
  for (const FieldError& error : request.error()) names += (names.empty() ? "" : " ") + error.pointer;
  return names;
}

TEST_CASE("what is left out is the usual") {
  const auto request = parse_stats("", "*/*");
  REQUIRE(request);
  CHECK(request->zone == "UTC");
  CHECK(request->from.empty());
  CHECK(request->by == StatsBy::Day);
  CHECK_FALSE(request->is_csv);
  CHECK_FALSE(request->excludes_bots);
}

TEST_CASE("all that is asked for is read") {
  const auto request =
      parse_stats("tz=America%2FPort-au-Prince&from=2024-02-29&to=2024-03-01&by=hour&excludeBots=true&format=csv", "");
  REQUIRE(request);
  CHECK(request->zone == "America/Port-au-Prince");
  CHECK(request->from == "2024-02-29");
  CHECK(request->to == "2024-03-01");
  CHECK(request->by == StatsBy::Hour);
  CHECK(request->is_csv);
  CHECK(request->excludes_bots);
}

TEST_CASE("each parameter that is wrong is named, all at once") {
  CHECK(wrong("tz=&from=yesterday&to=2026-13-01&by=moon&format=xml&excludeBots=1&page=2") ==
        "?tz ?from ?to ?by ?format ?excludeBots ?page");
  for (const char* day : {"2023-02-29", "2026-1-01", "20260101", "2026-01-01T00", "1969-12-31", "+026-01-01",
                          "2026-00-10", "2026-04-31", "-026-01-01", ""}) {
    CAPTURE(day);
    CHECK(wrong("from=" + std::string(day)) == "?from");
  }
  for (const char* zone : {"Europe/Madrid;", "a b", "%27", "%00", "UTC%0d%0a"})
    CHECK(wrong("tz=" + std::string(zone)) == "?tz");
  CHECK(wrong("tz=" + std::string(65, 'a')) == "?tz");
}

TEST_CASE("a range ends after it begins, and has its bounds") {
  CHECK(wrong("from=2026-01-02&to=2026-01-01") == "?from");
  CHECK(wrong("from=2026-01-01&to=2026-01-01") == "");
  CHECK(wrong("from=2024-01-01&to=2024-12-31") == "");
  CHECK(wrong("from=2024-01-01&to=2025-01-01") == "?from");
  CHECK(wrong("from=2026-01-01&to=2026-01-31&by=hour") == "");
  CHECK(wrong("from=2026-01-01&to=2026-02-01&by=hour") == "?from");
}

TEST_CASE("CSV is given to whom asks for it") {
  CHECK(parse_stats("", "text/csv")->is_csv);
  CHECK(parse_stats("", "text/csv;q=1, text/plain")->is_csv);
  CHECK_FALSE(parse_stats("", "application/json, text/csv")->is_csv);
  CHECK_FALSE(parse_stats("format=json", "text/csv")->is_csv);
}

}  // namespace
}  // namespace holdfast::app
