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

TEST_CASE("a closed idle connection, a client that left, a status and a shortage of our own never count") {
  const PassiveSettings settings{.max_fails = 1};
  PassiveHealth health(settings);
  for (const auto result : {AttemptResult::ClosedIdle, AttemptResult::Cancelled, AttemptResult::Status,
                            AttemptResult::Ok, AttemptResult::Unreachable, AttemptResult::Shortage}) {
    CHECK_FALSE(health.on_failures(result, 100, at(100'000)).has_value());
  }
}

TEST_CASE("each ejection in a row is twice as long, up to the longest, and a quiet time begins anew") {
  const PassiveSettings settings{.max_fails = 1, .eject_for = 1s, .eject_max = 5s};
  PassiveHealth health(settings);
  long now = 100'000;
  for (const long expected : {1000L, 2000L, 4000L, 5000L, 5000L}) {
    REQUIRE(health.on_failures(AttemptResult::Refused, 1, at(now)).has_value());
    CHECK((health.eject(at(now), 0.5) - at(now)).count() == expected);
    now += expected;
  }
  now += 5001;
  CHECK((health.eject(at(now), 0.5) - at(now)).count() == 1000);
}

TEST_CASE("the dice make an ejection up to a tenth shorter or longer") {
  const PassiveSettings settings{.eject_for = 1s};
  CHECK(PassiveHealth(settings).eject(at(100'000), 0) - at(100'000) == 900ms);
  CHECK(PassiveHealth(settings).eject(at(100'000), 1) - at(100'000) == 1100ms);
}

TEST_CASE("what comes in during an ejection does not lengthen it, and a pass ends it") {
  const PassiveSettings settings{.max_fails = 1, .eject_for = 10s};
  PassiveHealth health(settings);
  REQUIRE(health.on_failures(AttemptResult::Refused, 1, at(100'000)).has_value());
  health.eject(at(100'000), 0.5);
  CHECK_FALSE(health.on_failures(AttemptResult::Refused, 50, at(100'100)).has_value());
  CHECK_FALSE(health.on_bad_answers(BadAnswer::Status, 50, at(100'100)).has_value());
  health.on_pass(at(100'200));
  CHECK(health.on_failures(AttemptResult::Refused, 1, at(100'300)).has_value());
}

TEST_CASE("passing probes do not take back what clients met meanwhile") {
  const PassiveSettings settings{.max_fails = 2};
  PassiveHealth health(settings);
  CHECK_FALSE(health.on_failures(AttemptResult::Reset, 1, at(100'000)).has_value());
  health.on_pass(at(100'100));
  CHECK(health.on_failures(AttemptResult::Reset, 1, at(100'200)).has_value());
}

TEST_CASE("bad answers count beside failures, and on trial one is enough") {
  const PassiveSettings settings{.max_fails = 3};
  PassiveHealth health(settings);
  CHECK_FALSE(health.on_failures(AttemptResult::Reset, 1, at(100'000)).has_value());
  CHECK_FALSE(health.on_bad_answers(BadAnswer::Slow, 1, at(100'000)).has_value());
  CHECK(health.on_bad_answers(BadAnswer::Status, 1, at(100'000)) ==
        "3 failures in 10s, the last: a status of passive.statuses");
  const TimePoint until = health.eject(at(100'000), 0.5);
  health.begin_trial();
  CHECK(health.on_bad_answers(BadAnswer::Status, 1, until).has_value());
  health.eject(until, 0.5);
  CHECK_FALSE(health.is_on_trial());
}

TEST_CASE("an answer is bad by its status or its slowness, where that is configured") {
  CHECK(judge_answer({}, 500, 1h) == BadAnswer::None);
  const PassiveSettings settings{.statuses = {{500, 599}}, .latency = 2s};
  CHECK(judge_answer(settings, 500, 1ms) == BadAnswer::Status);
  CHECK(judge_answer(settings, 499, 2s) == BadAnswer::None);
  CHECK(judge_answer(settings, 200, 2001ms) == BadAnswer::Slow);
}

TEST_CASE("the last usable server is never ejected, nor more than the share, but one in any case") {
  CHECK(may_eject({.servers = 2, .usable_others = 1, .ejected = 0}, 50, false));
  CHECK_FALSE(may_eject({.servers = 2, .usable_others = 0, .ejected = 1}, 100, true));
  CHECK_FALSE(may_eject({.servers = 1, .usable_others = 0, .ejected = 0}, 100, false));
  CHECK_FALSE(may_eject({.servers = 5, .usable_others = 2, .ejected = 2}, 50, false));
  CHECK(may_eject({.servers = 5, .usable_others = 2, .ejected = 2}, 60, false));
  CHECK(may_eject({.servers = 5, .usable_others = 1, .ejected = 3}, 50, true));
  CHECK(may_eject({.servers = 5, .usable_others = 4, .ejected = 0}, 0, false));
}

TEST_CASE("max_fails 0 switches it off") {
  const PassiveSettings settings{.max_fails = 0};
  PassiveHealth health(settings);
  CHECK_FALSE(health.on_failures(AttemptResult::Refused, 1, at(100'000)).has_value());
}
