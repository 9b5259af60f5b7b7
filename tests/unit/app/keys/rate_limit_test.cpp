#include "app/keys/rate_limit.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

constexpr RateRule kRule{.per_second = 2, .burst = 4};
}  // namespace

TEST_CASE("the caller hears what is left, when the bucket is full, and when to come back") {
  const RateVerdict first = verdict_of(true, 3.5, kRule);
  CHECK(first.is_allowed);
  CHECK(first.limit == 4);
  CHECK(first.remaining == 3);
  CHECK(first.reset_seconds == 1);
  CHECK(first.retry_seconds == 0);
  const RateVerdict refused = verdict_of(false, 0.0, kRule);
  CHECK_FALSE(refused.is_allowed);
  CHECK(refused.remaining == 0);
  CHECK(refused.reset_seconds == 2);
  CHECK(refused.retry_seconds == 1);
  CHECK(verdict_of(false, 0.0, {.per_second = 2, .burst = 100}).reset_seconds == 50);
}

namespace {
struct Counting final : RateUser {
  explicit Counting(int& out) : allowed(out) {}
  void on_rate(const RateVerdict& verdict) override { allowed += verdict.is_allowed ? 1 : 0; }
  int& allowed;
};
}  // namespace

TEST_CASE("without Redis everybody has a bucket of their own here, and their number is bounded") {
  Loop loop;
  RateLimit limit(loop, nullptr, "p:");
  int count = 0;
  for (int i = 0; i < 6; ++i) limit.take("a", kRule, std::make_unique<Counting>(count));
  CHECK(count == 4);
  for (int i = 0; i < 6; ++i) limit.take("b", kRule, std::make_unique<Counting>(count));
  CHECK(count == 8);
  for (std::size_t i = 0; i < RateLimit::kLocalMax + 10; ++i) {
    limit.take("c" + std::to_string(i), kRule, std::make_unique<Counting>(count));
  }
  CHECK(limit.local_buckets() <= RateLimit::kLocalMax);
  const int before = count;
  for (int i = 0; i < 10; ++i) limit.take("d", RateRule{}, std::make_unique<Counting>(count));
  CHECK(count == before + 10);
}
