#include "lb/health/passive.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {
constexpr TimePoint at(long ms) { return TimePoint(LoopClock::duration(ms)); }
}  // namespace

TEST_CASE("one refused connection ejects and three resets within the window do") {
  const PassiveSettings settings{};
  PassiveHealth refused(settings);
  CHECK(refused.on_failures(AttemptResult::Refused, 1, at(100'000)).has_value());
  PassiveHealth reset(settings);
  CHECK_FALSE(reset.on_failures(AttemptResult::Reset, 2, at(100'000)).has_value());
  CHECK(reset.on_failures(AttemptResult::Closed, 1, at(101'000)).has_value());
}

TEST_CASE("failures older than the window do not count") {
  const PassiveSettings settings{.max_fails = 3, .fail_window = 10s};
  PassiveHealth health(settings);
  CHECK_FALSE(health.on_failures(AttemptResult::Reset, 2, at(100'000)).has_value());
  CHECK_FALSE(health.on_failures(AttemptResult::Reset, 2, at(110'000)).has_value());
  CHECK(health.on_failures(AttemptResult::Reset, 1, at(110'001)).has_value());
}

TEST_CASE("a closed idle connection, a client that left and a status never count") {
  const PassiveSettings settings{.max_fails = 1};
  PassiveHealth health(settings);
  for (const auto result : {AttemptResult::ClosedIdle, AttemptResult::Cancelled, AttemptResult::Status,
                            AttemptResult::Ok, AttemptResult::Unreachable}) {
    CHECK_FALSE(health.on_failures(result, 100, at(100'000)).has_value());
  }
}

TEST_CASE("each ejection in a row is twice as long, up to the longest, and a quiet time begins anew") {
  const PassiveSettings settings{.max_fails = 1, .eject_for = 1s, .eject_max = 5s};
  PassiveHealth health(settings);
  long now = 100'000;
  for (const long expected : {1000L, 2000L, 4000L, 5000L, 5000L}) {
    const auto ejection = health.on_failures(AttemptResult::Refused, 1, at(now));
    REQUIRE(ejection.has_value());
    CHECK((ejection->until - at(now)).count() == expected);
    now += expected;
  }
  now += 5001;
  CHECK((health.on_failures(AttemptResult::Refused, 1, at(now))->until - at(now)).count() == 1000);
}

TEST_CASE("what comes in during an ejection does not lengthen it, and a pass ends it") {
  const PassiveSettings settings{.max_fails = 1, .eject_for = 10s};
  PassiveHealth health(settings);
  REQUIRE(health.on_failures(AttemptResult::Refused, 1, at(100'000)).has_value());
  CHECK_FALSE(health.on_failures(AttemptResult::Refused, 50, at(100'100)).has_value());
  health.on_pass(at(100'200));
  CHECK(health.on_failures(AttemptResult::Refused, 1, at(100'300)).has_value());
}

TEST_CASE("max_fails 0 switches it off") {
  const PassiveSettings settings{.max_fails = 0};
  PassiveHealth health(settings);
  CHECK_FALSE(health.on_failures(AttemptResult::Refused, 1, at(100'000)).has_value());
}
