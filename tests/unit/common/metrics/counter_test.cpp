#include "common/metrics/counter.h"

#include <doctest/doctest.h>

#include <thread>

using namespace holdfast;

TEST_CASE("a counter counts") {
  Counter counter;
  counter.add();
  counter.add(41);
  CHECK(counter.value() == 42);
}

TEST_CASE("a gauge goes up and down and can be set") {
  Gauge gauge;
  gauge.add(2);
  gauge.add(-5);
  CHECK(gauge.value() == -3);
  gauge.set(7);
  CHECK(gauge.value() == 7);
}

TEST_CASE("who reads while the one writer adds sees a counter that only grows") {
  constexpr std::uint64_t kAdds = 200'000;
  Counter counter;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kAdds; ++i) counter.add();
  });
  bool has_shrunk = false;
  for (std::uint64_t before = 0; before < kAdds;) {
    const std::uint64_t now = counter.value();
    has_shrunk = has_shrunk || now < before;
    before = now;
  }
  writer.join();
  CHECK_FALSE(has_shrunk);
  CHECK(counter.value() == kAdds);
}
