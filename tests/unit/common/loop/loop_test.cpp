#include "common/loop/loop.h"

#include "common/loop/timeouts.h"

#include <doctest/doctest.h>

using namespace holdfast;

TEST_CASE("a stop that nobody waits for any more does not keep a loop from letting go of what was dropped") {
  Loop loop;
  { const Timeouts timeouts(loop); }  // its timer is being closed
  loop.stop();
}  // its destructor asserts that nothing is left

TEST_CASE("what was put off runs before the loop is gone") {
  bool has_run = false;
  {
    Loop loop;
    loop.defer(&has_run, [](void* flag) { *static_cast<bool*>(flag) = true; });
  }
  CHECK(has_run);
}
