#include "common/loop/timeout_wheel.h"

#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

/// A clock that tests set, and time-outs that note when they fired.
struct Bench {
  struct One {
    explicit One(Bench& owner) : bench(owner), timeout(Timeout::calling<&One::on_expired>(this)) {}
    void on_expired() {
      fired_at = bench.now;
      bench.fired.push_back(this);
      if (again > 0ms) bench.arm(*this, again);
    }
    Bench& bench;
    Timeout timeout;
    TimePoint fired_at{};
    std::chrono::milliseconds again{0};
  };

  One& add() { return *all.emplace_back(std::make_unique<One>(*this)); }
  void arm(One& one, std::chrono::milliseconds after) {
    const TimePoint look_at = wheel.arm(one.timeout, now + after);
    CHECK(look_at <= now + after + TimeoutWheel::kTick);
    next = next ? std::min(*next, look_at) : look_at;
  }
  /// As a loop does: wakes when it was told to, never in between.
  void go_to(TimePoint then) {
    while (next && *next <= then) {
      now = std::max(now, *next);
      next = wheel.sweep(now);
    }
    now = then;
  }

  TimePoint now{1'234'567ms};
  TimeoutWheel wheel{now};
  std::optional<TimePoint> next;
  std::vector<std::unique_ptr<One>> all;
  std::vector<One*> fired;
};

}  // namespace

TEST_CASE("time-outs of any length fire in their order, never early and late by no more than a tick") {
  std::minstd_rand dice(7);
  Bench bench;
  for (const auto longest : {300ms, 30'000ms, 3'600'000ms, 40'000'000ms}) {
    for (int i = 0; i < 300; ++i) {
      bench.arm(bench.add(), std::chrono::milliseconds(1 + dice() % static_cast<unsigned>(longest.count())));
      bench.go_to(bench.now + std::chrono::milliseconds(dice() % 50));
    }
  }
  bench.go_to(bench.now + 41'000'000ms);
  REQUIRE(bench.fired.size() == bench.all.size());
  CHECK_FALSE(bench.next.has_value());
  TimePoint last{};
  for (const Bench::One* one : bench.fired) {
    CHECK(one->fired_at >= one->timeout.deadline());
    CHECK(one->fired_at < one->timeout.deadline() + TimeoutWheel::kTick);
    CHECK(one->fired_at >= last);
    last = one->fired_at;
  }
}

TEST_CASE("after a stall all that is due fires at once, and what is not does not") {
  Bench bench;
  for (int i = 1; i <= 100; ++i) bench.arm(bench.add(), i * 100ms);
  bench.now += 5'005ms;
  bench.next = bench.wheel.sweep(bench.now);
  CHECK(bench.fired.size() == 50);
  bench.go_to(bench.now + 5'000ms);
  CHECK(bench.fired.size() == 100);
}

TEST_CASE("a time-out that arms itself again fires once each time, whatever the length") {
  for (const auto length : {1ms, 5ms, 320ms, 325ms, 20'480ms, 1'310'720ms}) {
    Bench bench;
    Bench::One& one = bench.add();
    one.again = length;
    bench.arm(one, length);
    bench.go_to(bench.now + 10 * length);
    CHECK(bench.fired.size() >= 10 * length / (length + TimeoutWheel::kTick));
    CHECK(bench.fired.size() <= 10);
  }
}

TEST_CASE("who is disarmed, armed for another time or destroyed does not fire at the first one") {
  Bench bench;
  Bench::One& disarmed = bench.add();
  Bench::One& later = bench.add();
  Bench::One& sooner = bench.add();
  bench.arm(disarmed, 50ms);
  bench.arm(later, 50ms);
  bench.arm(sooner, 500ms);
  {
    Bench::One gone(bench);
    bench.arm(gone, 50ms);
  }
  disarmed.timeout.disarm();
  bench.arm(later, 500ms);
  bench.arm(sooner, 50ms);
  bench.go_to(bench.now + 60ms);
  REQUIRE(bench.fired.size() == 1);
  CHECK(bench.fired.front() == &sooner);
  CHECK_FALSE(disarmed.timeout.is_armed());
}

TEST_CASE("a time-out of years neither fires nor is lost") {
  Bench bench;
  Bench::One& one = bench.add();
  bench.arm(one, std::chrono::hours(24 * 365));
  bench.go_to(bench.now + std::chrono::hours(24 * 364));
  CHECK(bench.fired.empty());
  bench.go_to(bench.now + std::chrono::hours(25));
  CHECK(bench.fired.size() == 1);
}
