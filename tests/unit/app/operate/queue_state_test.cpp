#include "app/operate/queue_state.h"

#include <doctest/doctest.h>

namespace holdfast::app {
namespace {

StoredState at(double clock, std::int64_t written, std::int64_t stored, std::int64_t epoch = 1) {
  StoredState state;
  state.clock = clock;
  JournalState& journal = state.journals.emplace_back();
  journal.instance = "a";
  journal.epoch = epoch;
  journal.written = written;
  journal.stored = stored;
  return state;
}

TEST_CASE("rates are what was written and stored between two looks") {
  const auto rates = rates_between(at(10, 100, 50), at(12, 300, 850));
  REQUIRE(rates);
  CHECK(rates->in == doctest::Approx(100));
  CHECK(rates->out == doctest::Approx(400));
}

TEST_CASE("no rate is told over the restart of an instance, nor of one that is new, nor of no time") {
  CHECK_FALSE(rates_between(at(10, 100, 50), at(12, 5, 50, 2)));
  StoredState both = at(12, 100, 50);
  both.journals.emplace_back().instance = "b";
  CHECK_FALSE(rates_between(at(10, 100, 50), both));
  CHECK_FALSE(rates_between(at(10, 100, 50), at(10, 100, 50)));
}

TEST_CASE("the time to drain is that of what waits at what is gained") {
  CHECK(*seconds_to_drain(1'000, {.in = 100, .out = 600}) == doctest::Approx(2));
  CHECK(*seconds_to_drain(0, {.in = 100, .out = 0}) == 0);
  CHECK_FALSE(seconds_to_drain(1'000, {.in = 100, .out = 100}));
  CHECK_FALSE(seconds_to_drain(1'000, {.in = 200, .out = 100}));
}

TEST_CASE("what waits is the sum of all, and its age that of the oldest") {
  StoredState state = at(0, 5, 5);
  CHECK_FALSE(state.oldest_seconds());
  state.journals[0].waiting = 2;
  state.journals[0].oldest_seconds = 3;
  JournalState& other = state.journals.emplace_back();
  other.waiting = 5;
  other.oldest_seconds = 40;
  CHECK(state.waiting() == 7);
  CHECK(*state.oldest_seconds() == 40);
}

TEST_CASE("a worker that has not asked for half a minute is none") {
  StreamState stream;
  stream.consumers = {{.name = "a", .pending = 0, .idle_seconds = 1}, {.name = "b", .pending = 3, .idle_seconds = 31}};
  CHECK(stream.workers() == 1);
}

}  // namespace
}  // namespace holdfast::app
