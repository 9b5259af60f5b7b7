// May this attempt be followed by another? The table of docs/retry.md as a pure function.
#pragma once

#include "common/http/head.h"
#include "common/loop/loop.h"
#include "lb/pool/settings.h"
#include "lb/reasons.h"

#include <chrono>
#include <span>

namespace holdfast::lb {

/// What is known when an attempt has ended without a response that was passed on.
struct RetryFacts {
  AttemptResult result = AttemptResult::Ok;
  bool is_repeatable = false;       // is_repeatable() of the request
  bool is_body_whole = true;        // the replay buffer still has all of the body that has come
  bool has_response_begun = false;  // the client has seen some of it
  bool has_retry_after = false;     // with AttemptResult::Status: the server said when to come back
  bool has_untried = false;         // a server that may get requests has had no attempt yet
  bool is_before_deadline = true;
};

/// | what happened                                        | tried again              |
/// |------------------------------------------------------|--------------------------|
/// | something was sent to the client, the deadline is    |                          |
/// | over, or the body can't be sent again                | never                    |
/// | no connection (refused, timed out, unreachable, or   |                          |
/// | lb has no descriptor, port or memory left)           | always                   |
/// | a kept connection ended before a byte of the request |                          |
/// | was handed to the kernel; or, with prove_undelivered,|                          |
/// | FIN and reset came and no byte was acknowledged      | always                   |
/// | closed, reset, timed out or unreadable, no response  | if repeatable            |
/// | a status of retry.statuses without Retry-After       | if repeatable, on a      |
/// |                                                      | server not yet tried     |
constexpr bool may_retry(const RetryFacts& facts) {
  if (facts.has_response_begun || !facts.is_before_deadline || !facts.is_body_whole) return false;
  switch (facts.result) {
    case AttemptResult::Refused:
    case AttemptResult::ConnectTimeout:
    case AttemptResult::Unreachable:
    case AttemptResult::Shortage:
    case AttemptResult::Undelivered:
      return true;
    case AttemptResult::Rescued:
    case AttemptResult::ClosedIdle:
    case AttemptResult::Closed:
    case AttemptResult::Reset:
    case AttemptResult::FirstByteTimeout:
    case AttemptResult::IdleTimeout:
    case AttemptResult::BadResponse:
      return facts.is_repeatable;
    case AttemptResult::Status:
      return facts.is_repeatable && !facts.has_retry_after && facts.has_untried;
    case AttemptResult::Ok:
    case AttemptResult::Outrun:
    case AttemptResult::Cancelled:
      return false;
  }
  return false;
}

/// RFC 9110 §9.2.2, or the request bears a key that lets its server tell a repetition.
bool is_repeatable(const RequestHead& head);

/// True where `status` is among retry.statuses.
bool is_retried_status(std::span<const StatusRange> statuses, int status);

/// How long to wait once every server has been tried `rounds` times: 10 ms, doubling up to 250 ms, less up to a half
/// by `dice` (0 to 1), so that those who failed together do not come back together.
std::chrono::milliseconds retry_pause(unsigned rounds, double dice);

/// The time that one connect may take: never all that is left while there are other servers to try. Where nothing is
/// left, it is the only attempt.
std::chrono::milliseconds connect_timeout(std::chrono::milliseconds configured, std::chrono::milliseconds left,
                                          std::size_t servers_left);

}  // namespace holdfast::lb
