#include "app/store/breaker.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

TimePoint at(std::chrono::milliseconds time) { return TimePoint(time); }

}  // namespace

TEST_CASE("a breaker opens at the first failure and lets nothing through until its pause is over") {
  Breaker breaker(50ms, 1s);
  CHECK(breaker.allows(at(0ms)));
  breaker.on_failure(at(0ms), 0);
  CHECK(breaker.state() == Breaker::State::Open);
  CHECK_FALSE(breaker.allows(at(49ms)));
  CHECK(breaker.allows(at(50ms)));
}

TEST_CASE("a half-open breaker lets exactly one through, whose success closes it") {
  Breaker breaker(50ms, 1s);
  breaker.on_failure(at(0ms), 0);
  CHECK(breaker.allows(at(60ms)));
  CHECK(breaker.state() == Breaker::State::HalfOpen);
  CHECK_FALSE(breaker.allows(at(60ms)));
  CHECK_FALSE(breaker.allows(at(5000ms)));
  breaker.on_success();
  CHECK(breaker.is_closed());
  CHECK(breaker.allows(at(60ms)));
}

TEST_CASE("each failed trial doubles the pause up to the longest, and a success makes it short again") {
  Breaker breaker(50ms, 200ms);
  auto now = 0ms;
  for (const auto pause : {50ms, 100ms, 200ms, 200ms}) {
    breaker.on_failure(at(now), 0);
    CHECK(breaker.retry_at() == at(now + pause));
    now += pause;
    CHECK(breaker.allows(at(now)));
  }
  breaker.on_success();
  breaker.on_failure(at(now), 0);
  CHECK(breaker.retry_at() == at(now + 50ms));
}

TEST_CASE("failures that come while it is open neither prolong the pause nor double it") {
  Breaker breaker(50ms, 1s);
  for (const auto time : {0ms, 10ms, 20ms}) breaker.on_failure(at(time), 0);
  CHECK(breaker.retry_at() == at(50ms));
}

TEST_CASE("the jitter takes up to a half of a pause away and never adds to it") {
  for (const double jitter : {0.0, 0.5, 0.99}) {
    Backoff backoff(100ms, 1s);
    const auto pause = backoff.next(jitter);
    CHECK(pause <= 100ms);
    CHECK(pause >= 50ms);
  }
}
