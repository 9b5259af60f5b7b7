#include "app/store/token_bucket.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

TEST_CASE("a bucket gives its burst, then its rate") {
  TokenBucket bucket(10, 5);
  const TimePoint begin{1'000'000ms};
  int taken = 0;
  while (bucket.take(begin)) ++taken;
  CHECK(taken == 5);
  CHECK_FALSE(bucket.take(begin + 99ms));
  CHECK(bucket.take(begin + 150ms));
  CHECK_FALSE(bucket.take(begin + 150ms));
  taken = 0;
  while (bucket.take(begin + 1h)) ++taken;
  CHECK(taken == 5);
  CHECK(bucket.is_full(begin + 2h));
  CHECK_FALSE(bucket.is_full(begin));  // a clock that goes back gives nothing
}
