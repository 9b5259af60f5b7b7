#include "common/units.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their units") {
  const std::vector<std::pair<std::string, std::chrono::milliseconds>> rows{
      {"0", 0ms},  {"0s", 0ms}, {"250ms", 250ms}, {"2s", 2s}, {"1.5s", 1500ms}, {"0.07s", 70ms},
      {"2 s", 2s}, {"1m", 60s}, {"1.5m", 90s},    {"1h", 1h}, {"7d", 168h},
  };
  for (const auto& row : rows) {
    const auto& text = row.first;
    const auto& expected = row.second;
    CAPTURE(text);
    REQUIRE(parse_duration(text));
    CHECK(*parse_duration(text) == expected);
  }
}

TEST_CASE("what is no duration is refused") {
  for (const std::string text :
       {"",     " ",    "5",    "s",    "-1s",  "-0",   "+1s",   "1S",      "1 s ",         " 1s",
        "1,5s", "1e3s", "0x1s", "infs", "nans", "1sec", "0.4ms", "0.0005s", "99999999999d", "1ms\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a printed duration is short and reads back as itself") {
  CHECK(print_duration(0ms) == "0s");
  CHECK(print_duration(1500ms) == "1500ms");
  CHECK(print_duration(90s) == "90s");
  CHECK(print_duration(120s) == "2m");
  CHECK(print_duration(3600s) == "1h");
  for (const auto duration : {0ms, 1ms, 999ms, 1000ms, 60'000ms, 61'000ms, 3'600'000ms, 86'400'000ms}) {
    CHECK(parse_duration(print_duration(duration)) == duration);
  }
}

TEST_CASE("sizes are read with their units") {
  const std::vector<std::pair<std::string, std::size_t>> rows{
      {"0", 0},          {"512", 512},       {"512B", 512}, {"64KiB", 65'536},  {"1.5KiB", 1536},
      {"10MiB", 10_MiB}, {"1GiB", 1024_MiB}, {"1KB", 1000}, {"2MB", 2'000'000}, {"1GB", 1'000'000'000},
  };
  for (const auto& row : rows) {
    const auto& text = row.first;
    const auto& expected = row.second;
    CAPTURE(text);
    REQUIRE(parse_size(text));
    CHECK(*parse_size(text) == expected);
  }
}

TEST_CASE("what is no size is refused") {
  for (const std::string text :
       {"", "B", "-1", "64K", "64kib", "64KiBB", "1.5B", "0.1KiB", "1e6", "99999999GiB", "inf"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("a printed size is short and reads back as itself") {
  CHECK(print_size(0) == "0B");
  CHECK(print_size(1000) == "1000B");
  CHECK(print_size(64_KiB) == "64KiB");
  CHECK(print_size(10_MiB) == "10MiB");
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1025}, 64_KiB, 3_MiB, 2048_MiB}) {
    CHECK(parse_size(print_size(bytes)) == bytes);
  }
}
