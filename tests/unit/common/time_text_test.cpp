#include "common/time_text.h"

#include <doctest/doctest.h>

using namespace holdfast;

TEST_CASE("a time is read in any offset and written in UTC with milliseconds") {
  const auto again = [](const char* text) { return rfc3339(parse_rfc3339(text).value()); };
  CHECK(again("2026-01-31T11:46:41Z") == "2026-01-31T11:46:41.000Z");
  CHECK(again("2026-01-31t11:46:41.5z") == "2026-01-31T11:46:41.500Z");
  CHECK(again("2026-01-31T01:00:00.123456789+02:30") == "2026-01-30T22:30:00.123Z");
  CHECK(again("2024-02-29T23:59:59-01:00") == "2024-03-01T00:59:59.000Z");
  CHECK(again("1970-01-01T00:00:00Z") == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("what is no time is refused") {
  for (const char* bad :
       {"", "2026", "2026-01-31", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T11:60:00Z", "2026-01-31T11:46:41", "2026-01-31T11:46:41+2:00", "2026-01-31T11:46:41.Z",
        "2026-01-31T11:46:41Zx", "1969-01-01T00:00:00Z", "2026-01--1T00:00:00Z", "20260131T114641Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rfc3339(bad));
  }
}
