#include "lb/exchange/retry.h"

#include <doctest/doctest.h>
#include <initializer_list>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {

constexpr std::initializer_list<AttemptResult> kNoConnection{AttemptResult::Refused, AttemptResult::ConnectTimeout,
                                                             AttemptResult::Unreachable, AttemptResult::Shortage};
constexpr std::initializer_list<AttemptResult> kNoResponse{AttemptResult::ClosedIdle,  AttemptResult::Closed,
                                                           AttemptResult::Reset,       AttemptResult::FirstByteTimeout,
                                                           AttemptResult::IdleTimeout, AttemptResult::BadResponse};

}  // namespace

TEST_CASE("an attempt without a connection is repeated whatever the method") {
  for (const AttemptResult result : kNoConnection) {
    CHECK(may_retry({.result = result, .is_repeatable = false}));
    CHECK(may_retry({.result = result, .is_repeatable = true}));
  }
}

TEST_CASE("an attempt that died without a response is repeated only where the request is repeatable") {
  for (const AttemptResult result : kNoResponse) {
    CHECK_FALSE(may_retry({.result = result, .is_repeatable = false}));
    CHECK(may_retry({.result = result, .is_repeatable = true}));
  }
}

TEST_CASE("nothing is repeated after the first byte to the client, the deadline, or the loss of the body") {
  for (const auto results : {kNoConnection, kNoResponse}) {
    for (const AttemptResult result : results) {
      CHECK_FALSE(may_retry({.result = result, .is_repeatable = true, .has_response_begun = true}));
      CHECK_FALSE(may_retry({.result = result, .is_repeatable = true, .is_before_deadline = false}));
      CHECK_FALSE(may_retry({.result = result, .is_repeatable = true, .is_body_whole = false}));
    }
  }
}

TEST_CASE(
    "a status is tried elsewhere only while another server is untried and the server did not say when to come back") {
  CHECK(may_retry({.result = AttemptResult::Status, .is_repeatable = true, .has_untried = true}));
  CHECK_FALSE(may_retry({.result = AttemptResult::Status, .is_repeatable = true, .has_untried = false}));
  CHECK_FALSE(may_retry({.result = AttemptResult::Status, .is_repeatable = false, .has_untried = true}));
  CHECK_FALSE(may_retry(
      {.result = AttemptResult::Status, .is_repeatable = true, .has_retry_after = true, .has_untried = true}));
}

TEST_CASE("an answer, or a client that left, is not repeated") {
  CHECK_FALSE(may_retry({.result = AttemptResult::Ok, .is_repeatable = true, .has_untried = true}));
  CHECK_FALSE(may_retry({.result = AttemptResult::Cancelled, .is_repeatable = true, .has_untried = true}));
}

TEST_CASE("a POST is repeatable only with an Idempotency-Key") {
  const Field key{"Idempotency-Key", "k", FieldId::IdempotencyKey};
  RequestHead post;
  post.method = Method::Post;
  CHECK_FALSE(is_repeatable(post));
  post.fields = {&key, 1};
  CHECK(is_repeatable(post));
  for (const Method method : {Method::Get, Method::Head, Method::Put, Method::Delete, Method::Options}) {
    RequestHead head;
    head.method = method;
    CHECK(is_repeatable(head));
  }
}

TEST_CASE("the pause doubles from 10 ms to 250 ms and is shortened by up to a half") {
  CHECK(retry_pause(1, 0) == 10ms);
  CHECK(retry_pause(2, 0) == 20ms);
  CHECK(retry_pause(5, 0) == 160ms);
  CHECK(retry_pause(6, 0) == 250ms);
  CHECK(retry_pause(1000, 0) == 250ms);
  CHECK(retry_pause(6, 1) == 125ms);
}

TEST_CASE("one connect never takes all the time that is left while there are others to try") {
  CHECK(connect_timeout(500ms, 5000ms, 2) == 500ms);
  CHECK(connect_timeout(500ms, 600ms, 3) == 200ms);
  CHECK(connect_timeout(10'000ms, 3000ms, 2) == 1500ms);
  CHECK(connect_timeout(500ms, 1ms, 3) == 1ms);
  CHECK(connect_timeout(500ms, 0ms, 1) == 500ms);  // the one attempt of retry.deadline: 0s
}
