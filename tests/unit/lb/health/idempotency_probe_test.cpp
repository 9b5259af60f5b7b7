#include "lb/health/idempotency_probe.h"

#include <doctest/doctest.h>

using namespace holdfast::lb;

TEST_CASE("keys may be assigned where the second answer is the first one again, and nowhere else") {
  const KeyedAnswer created{.status = 201, .body = "{\"code\": \"abc\"}"};
  CHECK_FALSE(judge_idempotency(created, created).has_value());
  CHECK(judge_idempotency(created, {.status = 201, .body = "{\"code\": \"abd\"}"}).has_value());
  CHECK(judge_idempotency(created, {.status = 200, .body = created.body}).has_value());
  CHECK(judge_idempotency(created, {.status = 409, .body = created.body}).has_value());
}

TEST_CASE("two refusals alike prove nothing") {
  const KeyedAnswer refused{.status = 401, .body = "who are you?"};
  CHECK(judge_idempotency(refused, refused).has_value());
  const KeyedAnswer failed{.status = 500, .body = ""};
  CHECK(judge_idempotency(failed, failed).has_value());
}
