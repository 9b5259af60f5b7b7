#include "common/repeat_limit.h"

#include <doctest/doctest.h>

#include <string>

using holdfast::RepeatLimit;
using namespace std::chrono_literals;

TEST_CASE("of equal messages one a second passes and tells how many did not") {
  RepeatLimit limit;
  RepeatLimit::TimePoint now{};
  CHECK(limit.judge("refused", "a", now).may_pass);
  for (int i = 0; i < 17; ++i) CHECK_FALSE(limit.judge("refused", "a", now += 10ms).may_pass);
  const auto verdict = limit.judge("refused", "a", now + 1s);
  CHECK(verdict.may_pass);
  CHECK(verdict.repeated == 17);
  CHECK(limit.judge("refused", "a", now + 2s).repeated == 0);
}

TEST_CASE("another event or subject has a pause of its own") {
  RepeatLimit limit;
  const RepeatLimit::TimePoint now{};
  CHECK(limit.judge("refused", "a", now).may_pass);
  CHECK(limit.judge("refused", "b", now).may_pass);
  CHECK(limit.judge("reset", "a", now).may_pass);
  CHECK_FALSE(limit.judge("refused", "a", now).may_pass);
}

TEST_CASE("a flood of subjects neither passes unlimited nor is remembered without bound") {
  RepeatLimit limit;
  const RepeatLimit::TimePoint now{};
  std::size_t passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += limit.judge("bad request", std::to_string(i), now).may_pass ? 1 : 0;
  CHECK(passed == RepeatLimit::kRemembered + 1);  // the last one stands for all the others
  CHECK(limit.judge("bad request", "new", now + 1s).may_pass);
  CHECK(limit.judge("bad request", "newer", now + 1s).may_pass);  // the old ones were forgotten
}
