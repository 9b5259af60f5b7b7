#include "app/operate/table.h"

#include <doctest/doctest.h>

namespace holdfast::app {
namespace {

TEST_CASE("columns are as wide as their widest cell, numbers stand to the right, no line ends in blanks") {
  CHECK(table_of({{"ID", "N", "WHY"}, {"a", "1", "because"}, {"longer", "1,000", ""}}, {false, true}) ==
        "ID          N  WHY\na           1  because\nlonger  1,000\n");
  CHECK(table_of({}).empty());
}

TEST_CASE("bytes of others move no cursor") {
  CHECK(table_of({{"a\x1b[2Jb\n"}}) == "a\\x1b[2Jb\\x0a\n");
  CHECK(table_of({{std::string(500, 'x')}}).size() < 130);
}

TEST_CASE("numbers are grouped by thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(-1'234'567) == "-1,234,567");
  CHECK(grouped(-123) == "-123");
}

TEST_CASE("times and sizes are said as people say them") {
  CHECK(duration_text(0.44) == "0.4 s");
  CHECK(duration_text(-3) == "0.0 s");
  CHECK(duration_text(59.9) == "59 s");
  CHECK(duration_text(200) == "3 min 20 s");
  CHECK(duration_text(7'500) == "2 h 5 min");
  CHECK(duration_text(4 * 86'400 + 3 * 3'600) == "4 d 3 h");
  CHECK(duration_text(3'600) == "1 h");
  CHECK(size_text(512) == "512 B");
  CHECK(size_text(1'572'864) == "1.5 MiB");
}

}  // namespace
}  // namespace holdfast::app
