#include "app/clicks/stored_ranges.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("what is stored is told number by number, gaps and ends too") {
  const StoredRanges some("{[1,501),[600,700)}");
  CHECK(some.has(1, 500));
  CHECK(some.has(600, 699));
  CHECK_FALSE(some.has(1, 501));
  CHECK_FALSE(some.has(500, 600));
  CHECK_FALSE(some.has(550, 560));
  CHECK_FALSE(some.has(699, 700));
  CHECK(some.upto(1) == 500);
  CHECK(some.upto(300) == 500);
  CHECK(some.upto(501) == 500);
  CHECK(some.upto(600) == 699);
  CHECK(some.count(1, 1'000) == 600);
  CHECK(some.count(500, 600) == 2);
  CHECK(some.count(501, 599) == 0);
}

TEST_CASE("of nothing, and of what is no such text, nothing is stored") {
  for (const char* text : {"{}", "", "nonsense", "{[", "{[5", "{[5,", "{[5,5)}", "{[7,5)}", "{[-3,5)}", "{(,)}"}) {
    CAPTURE(text);
    const StoredRanges none(text);
    CHECK_FALSE(none.has(1, 1));
    CHECK(none.upto(1) == 0);
    CHECK(none.count(1, 100) == 0);
  }
}
