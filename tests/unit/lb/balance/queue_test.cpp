#include "lb/balance/queue.h"

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

struct Named final : Waiter {
  Named(char the_name, std::string& the_log, WaitQueue* back = nullptr) : name(the_name), log(the_log), enters(back) {}
  void on_wake() override {
    log += name;
    if (takes != nullptr) CHECK(takes->take_slot() == Slot::Counted);
    if (enters != nullptr) enters->enter(*this, Waiting::ForServer);
  }
  using Waiter::begin_waiting_anew;
  char name;
  std::string& log;
  WaitQueue* enters;
  Server* takes = nullptr;
};

PoolSettings pool_settings(std::size_t queue_size, unsigned max_requests) {
  PoolSettings settings;
  settings.queue_size = queue_size;
  settings.servers.push_back({.name = "one", .authority = "one", .address = {}, .max_requests = max_requests});
  return settings;
}

struct Fixture {
  explicit Fixture(std::size_t size, unsigned max_requests = 0, std::size_t workers = 1)
      : timeouts(loop), waits(timeouts.add_class()), pool(pool_settings(size, max_requests), workers) {
    for (std::size_t i = 0; i < workers; ++i) {
      queues.push_back(std::make_unique<WaitQueue>(loop, waits, pool, i));
      pool.board().set_waker(
          i, [](void* queue) { static_cast<WaitQueue*>(queue)->wake_some(); }, queues.back().get());
    }
    server().publish(State::Healthy);
  }
  Server& server() { return *pool.servers()[0]; }
  WaitQueue& queue(std::size_t worker = 0) { return *queues[worker]; }
  Named& add(char name, std::size_t worker = 0) {
    waiters.push_back(std::make_unique<Named>(name, log));
    CHECK(queue(worker).enter(*waiters.back(), Waiting::ForServer));
    return *waiters.back();
  }
  std::string woken() {
    loop.settle();
    return std::exchange(log, {});
  }
  Loop loop;
  Timeouts timeouts;
  TimeoutClass& waits;
  ServerPool pool;
  std::string log;
  std::vector<std::unique_ptr<WaitQueue>> queues;
  std::vector<std::unique_ptr<Named>> waiters;
};

}  // namespace

TEST_CASE("those who wait are woken in the order in which they came, and there is room for so many") {
  Fixture f(3);
  f.add('a');
  Named& b = f.add('b');
  f.add('c');
  Named d('d', f.log);
  CHECK_FALSE(f.queue().enter(d, Waiting::ForServer));
  f.queue().leave(b);
  f.queue().leave(b);
  CHECK(f.queue().size() == 2);
  f.queue().wake_some();
  CHECK(f.log.empty());  // not on the caller's stack
  CHECK(f.woken() == "ac");
  CHECK(f.queue().size() == 0);
}

TEST_CASE("a change of state wakes a few, and each attempt that ends up to two more") {
  Fixture f(100);
  for (char name = 'a'; name <= 'z'; ++name) f.add(name);
  f.queue().wake_some();
  CHECK(f.woken() == "abcd");
  f.queue().pass_on(2);
  f.queue().pass_on(1);
  CHECK(f.woken() == "efg");
  CHECK(f.woken().empty());
}

TEST_CASE("where no attempt ends, more and more are woken as time passes: answers may be slow by nature") {
  Fixture f(1000);
  for (int i = 0; i < 300; ++i) f.add('x');
  f.queue().wake_some();
  CHECK(f.woken().size() == 4);
  const auto began = f.loop.now();
  while (f.queue().size() > 0) uv_run(f.loop.uv(), UV_RUN_NOWAIT);
  CHECK(f.loop.now() - began >= 5 * WaitQueue::kStepTime);  // 8, 16, 32, 64, 128, the rest
}

TEST_CASE("where no server may get requests nobody is woken") {
  Fixture f(9);
  f.add('a');
  f.server().publish(State::Ejected);
  f.queue().wake_some();
  CHECK(f.woken().empty());
}

TEST_CASE("who finds no server keeps its place, and those behind it are not asked") {
  Fixture f(9);
  Named& a = f.add('a');
  a.enters = &f.queue();
  f.add('b');
  f.queue().wake_some();
  CHECK(f.woken() == "a");
  CHECK(f.queue().size() == 2);
  a.enters = nullptr;
  f.queue().wake_some();
  CHECK(f.woken() == "ab");
}

TEST_CASE("who comes back after a failed attempt stands before those who came later") {
  Fixture f(9);
  Named& a = f.add('a');
  f.add('b');
  f.queue().leave(a);
  f.add('c');
  f.queue().enter(a, Waiting::ForServer);
  f.queue().wake_some();
  CHECK(f.woken() == "abc");
  a.begin_waiting_anew();
  f.add('d');
  f.queue().enter(a, Waiting::ForServer);
  f.queue().wake_some();
  CHECK(f.woken() == "da");
}

TEST_CASE("who pauses keeps nobody waiting, and is woken last") {
  Fixture f(9);
  Named pausing('p', f.log);
  CHECK(f.queue().enter(pausing, Waiting::APause));
  CHECK_FALSE(f.queue().must_wait());
  f.add('a');
  CHECK(f.queue().must_wait());
  f.queue().wake_some();
  CHECK(f.woken() == "ap");
}

TEST_CASE("a place that frees goes to whoever has waited longest, in whichever worker") {
  Fixture f(9, 1, 3);
  REQUIRE(f.server().take_slot() == Slot::Counted);
  f.add('a', 2).takes = &f.server();
  f.add('b', 0).takes = &f.server();
  f.add('c', 1).takes = &f.server();
  CHECK(f.queue(1).must_wait());
  for (const std::string expected : {"a", "b", "c"}) {
    f.server().free_slot(Slot::Counted);
    f.queue(0).pass_on(1);
    CHECK(f.woken() == expected);
  }
  CHECK_FALSE(f.queue(1).must_wait());
}

TEST_CASE("a place that became free just before somebody began to wait is not missed") {
  Fixture f(9, 1);
  REQUIRE(f.server().take_slot() == Slot::Counted);
  CHECK(f.server().take_slot() == Slot::None);  // it finds the server full,
  f.server().free_slot(Slot::Counted);          // which changes while nobody waits,
  f.queue().pass_on(1);
  CHECK(f.woken().empty());
  f.add('a');  // and only then it enters
  CHECK(f.woken() == "a");
}

TEST_CASE("a place meant for one who has left goes to the next, in another worker") {
  Fixture f(9, 1, 2);
  REQUIRE(f.server().take_slot() == Slot::Counted);
  Named& a = f.add('a', 0);
  f.add('b', 1);
  f.server().free_slot(Slot::Counted);
  f.queue(1).pass_on(1);  // wakes worker 0 for a
  f.queue(0).leave(a);
  CHECK(f.woken() == "b");
}
