#include "app/http/csv.h"

#include <doctest/doctest.h>

namespace holdfast::app {
namespace {

std::string line(std::initializer_list<std::string_view> cells) {
  std::string out;
  append_csv_line(out, cells);
  return out;
}

TEST_CASE("a line has its cells with commas between them, and ends with CR LF") {
  CHECK(line({"date", "total"}) == "date,total\r\n");
  CHECK(line({"", "", ""}) == ",,\r\n");
}

TEST_CASE("what would be taken for the table's own signs is quoted") {
  CHECK(line({"a,b", "say \"no\"", "two\nlines", "plain"}) == "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",plain\r\n");
}

TEST_CASE("no cell begins a formula") {
  for (const char* cell : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"}) {
    CHECK(line({cell, "1"}) == "\"'" + std::string(cell) + "\",1\r\n");
  }
  CHECK(line({"a=1", "1-2", "a@b"}) == "a=1,1-2,a@b\r\n");
}

}  // namespace
}  // namespace holdfast::app
