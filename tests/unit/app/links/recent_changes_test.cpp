#include "app/links/recent_changes.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

TEST_CASE("a change is recent for as long as it is remembered, from the last time that it was told") {
  RecentChanges recent(10s, 3);
  const TimePoint begin{1'000'000ms};
  CHECK_FALSE(recent.has("a", begin));
  recent.add("a", begin);
  CHECK(recent.has("a", begin + 10s));
  CHECK_FALSE(recent.has("b", begin + 10s));
  CHECK_FALSE(recent.has("a", begin + 10s + 1ms));
  recent.add("a", begin + 20s);
  recent.add("a", begin + 25s);
  CHECK(recent.has("a", begin + 34s));  // the first telling of the two is over, the second is not
  CHECK_FALSE(recent.has("a", begin + 36s));
}

TEST_CASE("of more changes than are remembered the oldest go first") {
  RecentChanges recent(10s, 3);
  const TimePoint begin{1'000'000ms};
  for (const char* code : {"b", "c", "d", "e"}) recent.add(code, begin);
  CHECK_FALSE(recent.has("b", begin));
  for (const char* code : {"c", "d", "e"}) CHECK(recent.has(code, begin));
}
