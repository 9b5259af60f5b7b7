#include "lb/health/stall.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {
constexpr TimePoint at(long ms) { return TimePoint(LoopClock::duration(ms)); }

struct Seen {
  std::int64_t awaited;
  std::int64_t since_ms;
  std::int64_t heard_ms;
};
ServerActivity activity(std::initializer_list<Seen> workers) {
  Server server(ServerSettings{}, workers.size());
  std::size_t i = 0;
  for (const Seen& seen : workers) {
    server.counters(i).awaited.set(seen.awaited);
    server.counters(i).awaited_since_ms.set(seen.since_ms);
    server.counters(i).heard_ms.set(seen.heard_ms);
    ++i;
  }
  return activity_of(server);
}
}  // namespace

TEST_CASE("a server is silent since its last byte or the first request that it owes, whichever is later") {
  CHECK(activity({{2, 1000, 1500}}).silence(at(1600)) == 100ms);
  CHECK(activity({{2, 1500, 400}}).silence(at(1600)) == 100ms);
  CHECK(activity({{0, 1000, 400}}).silence(at(1600)) == 0ms);
  CHECK(activity({{1, 1000, 1700}}).silence(at(1600)) == 0ms);  // another thread's clock is ahead
}

TEST_CASE("a byte to any worker breaks the silence, and who has waited longest counts") {
  CHECK(activity({{1, 1000, 0}, {0, 0, 1550}}).silence(at(1600)) == 50ms);
  CHECK(activity({{1, 1000, 0}, {3, 1590, 0}}).silence(at(1600)) == 600ms);
  CHECK(activity({{0, 100, 0}, {3, 1590, 0}}).silence(at(1600)) == 10ms);
  CHECK(activity({{1, 1000, 0}, {3, 1590, 0}}).awaited == 4);
}

TEST_CASE("where others fall silent at the same time the server is not to blame") {
  CHECK(goes_on_beside(activity({{1, 0, 1580}}), 100ms, at(1600)));
  CHECK(goes_on_beside(activity({{0, 0, 0}}), 100ms, at(1600)));
  CHECK_FALSE(goes_on_beside(activity({{1, 0, 1510}}), 100ms, at(1600)));
}

TEST_CASE("what is unusual follows the slowest answers, within bounds") {
  CHECK(unusual_silence(1ms, 100ms) == 100ms);
  CHECK(unusual_silence(80ms, 100ms) == 240ms);
  CHECK(unusual_silence(30s, 100ms) == 1s);
  CHECK(unusual_silence(1ms, 5s) == 5s);
}

TEST_CASE("one silence is asked about less and less often, the next one anew") {
  StallWatch watch;
  std::vector<long> asked;
  for (long now = 100'100; now <= 102'000; now += 25) {
    if (watch.is_suspect(std::chrono::milliseconds(now - 100'000), at(now))) asked.push_back(now - 100'000);
  }
  CHECK(asked == std::vector<long>{100, 200, 400, 800, 1600});
  CHECK(watch.is_suspect(100ms, at(102'200)));
}

TEST_CASE("who was acquitted is not suspected again at once, and an acquittal of long ago is forgotten") {
  StallWatch watch;
  const auto first_suspicion_after = [&](long acquitted) {
    watch.acquit(at(acquitted));
    for (long now = acquitted + 1;; ++now) {
      if (watch.is_suspect(100ms, at(now))) return now - acquitted;
    }
  };
  CHECK(first_suspicion_after(100'000) == 100);
  CHECK(first_suspicion_after(101'000) == 200);
  CHECK(first_suspicion_after(102'000) == 400);
  CHECK(first_suspicion_after(103'000) == 400);
  CHECK(first_suspicion_after(120'000) == 100);
}
