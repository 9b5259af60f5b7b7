#include "lb/pool/state.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;

namespace {
constexpr TimePoint kNow{LoopClock::duration(1000)};
constexpr TimePoint kLater{LoopClock::duration(1001)};
}  // namespace

TEST_CASE("a drained server stays draining whatever its probes and clients say") {
  for (const auto probe : {Probe::Unknown, Probe::Passing, Probe::Failing}) {
    CHECK(state_of({.admin = Admin::Draining, .ejected_until = kLater, .probe = probe}, kNow) == State::Draining);
    CHECK(state_of({.admin = Admin::Down, .ejected_until = kLater, .probe = probe}, kNow) == State::Down);
  }
}

TEST_CASE("an ejection outweighs passing probes until it is over") {
  CHECK(state_of({.ejected_until = kLater, .probe = Probe::Passing}, kNow) == State::Ejected);
  CHECK(state_of({.ejected_until = kNow, .probe = Probe::Passing}, kNow) == State::Healthy);
  CHECK(state_of({.ejected_until = kNow, .probe = Probe::Failing}, kNow) == State::Unhealthy);
}

TEST_CASE("a server that says it drains is draining while its probes do not fail") {
  CHECK(state_of({.says_draining = true, .probe = Probe::Passing}, kNow) == State::Draining);
  CHECK(state_of({.says_draining = true, .probe = Probe::Failing}, kNow) == State::Unhealthy);
}

TEST_CASE("a server is unknown until its first verdict and trusted where nobody probes") {
  CHECK(state_of({}, kNow) == State::Unknown);
  CHECK(state_of({.is_probed = false}, kNow) == State::Healthy);
}

TEST_CASE("the history keeps the last 64 transitions and counts all") {
  History history;
  for (int i = 0; i < 100; ++i)
    history.add({.at = {}, .from = State::Healthy, .to = State::Ejected, .reason = std::to_string(i)});
  CHECK(history.count() == 100);
  CHECK(history.entries().size() == 64);
  CHECK(history.entries().front().reason == "36");
  CHECK(history.entries().back().reason == "99");
}
