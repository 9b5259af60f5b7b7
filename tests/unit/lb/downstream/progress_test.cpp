#include "lb/downstream/progress.h"

#include <doctest/doctest.h>

using namespace holdfast::lb;
using namespace std::chrono_literals;

TEST_CASE("what is due grows with the rate and the window, and is never nothing") {
  CHECK(due_bytes(100, 30s) == 3000);
  CHECK(due_bytes(100, 500ms) == 50);
  CHECK(due_bytes(100, 1ms) == 1);
  CHECK(due_bytes(0, 30s) == 1);
  CHECK(due_bytes(std::size_t{1} << 30, 1h) == (std::uint64_t{1} << 30) * 3600);
}

TEST_CASE("a window sees only what came in it") {
  ProgressWindow window;
  window.begin(1000);
  CHECK_FALSE(window.is_enough(1000, 1));
  CHECK_FALSE(window.is_enough(1099, 100));
  CHECK(window.is_enough(1100, 100));
  window.begin(1100);  // the next one owes the same again
  CHECK_FALSE(window.is_enough(1199, 100));
}
