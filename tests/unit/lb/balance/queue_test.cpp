#include "lb/balance/queue.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::lb;

namespace {
struct Named final : Waiter {
  Named(char the_name, std::string& the_log, WaitQueue* back = nullptr) : name(the_name), log(the_log), enters(back) {}
  void on_wake() override {
    log += name;
    if (enters != nullptr) enters->enter(*this);
  }
  char name;
  std::string& log;
  WaitQueue* enters;
};
}  // namespace

TEST_CASE("those who wait are woken in the order in which they came") {
  std::string log;
  WaitQueue queue(3);
  Named a('a', log), b('b', log), c('c', log), d('d', log);
  CHECK(queue.enter(a));
  CHECK(queue.enter(b));
  CHECK(queue.enter(c));
  CHECK_FALSE(queue.enter(d));
  queue.leave(b);
  queue.leave(b);
  CHECK(queue.size() == 2);
  queue.wake_all();
  CHECK(log == "ac");
  CHECK(queue.size() == 0);
}

TEST_CASE("who enters again while being woken is not woken twice") {
  std::string log;
  WaitQueue queue(9);
  Named a('a', log, &queue), b('b', log, &queue);
  queue.enter(a);
  queue.enter(b);
  queue.wake_all();
  CHECK(log == "ab");
  CHECK(queue.size() == 2);
  queue.leave(a);
  queue.leave(b);
}
