// Why things ended: one table of words for code, log, metric and admin port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::lb {

/// How an attempt at one server ended.
enum class AttemptResult : std::uint8_t {
  Ok,                // a response, passed on
  Refused,           // nobody listens there
  ConnectTimeout,    // no connection within timeouts.connect
  Unreachable,       // no route
  Shortage,          // lb has no descriptor, port or memory left to connect
  ClosedIdle,        // a kept connection that the server had closed meanwhile: nobody's fault
  Undelivered,       // likewise, and no byte of the request reached the server (docs/retry.md)
  Closed,            // the server closed before its response was complete
  Reset,             // the connection broke before the response was complete
  FirstByteTimeout,  // no response within timeouts.first_byte
  IdleTimeout,       // the response stood still for timeouts.idle
  BadResponse,       // not HTTP/1.1 as we understand it
  Status,            // a status of retry.statuses
  Rescued,           // the server went out of service meanwhile, and another one could be asked
  Outrun,            // another attempt at the same request answered first
  Cancelled,         // the client left, or another reason of ours
};
inline constexpr std::array<std::string_view, 16> kAttemptResults{
    "ok",          "refused", "connect_timeout", "unreachable",        "shortage",     "closed_idle",
    "undelivered", "closed",  "reset",           "first_byte_timeout", "idle_timeout", "bad_response",
    "status",      "rescued", "outrun",          "cancelled"};

constexpr std::string_view attempt_result_name(AttemptResult result) {
  return kAttemptResults[static_cast<std::size_t>(result)];
}

/// True for what a server did to a client that it was serving: passive health counts it. A connection closed while
/// idle is not one, nor is a client that left.
constexpr bool is_failure(AttemptResult result) {
  switch (result) {
    case AttemptResult::Refused:
    case AttemptResult::ConnectTimeout:
    case AttemptResult::Closed:
    case AttemptResult::Reset:
    case AttemptResult::FirstByteTimeout:
    case AttemptResult::IdleTimeout:
    case AttemptResult::BadResponse:
      return true;
    case AttemptResult::Ok:
    case AttemptResult::Unreachable:
    case AttemptResult::Shortage:
    case AttemptResult::ClosedIdle:
    case AttemptResult::Undelivered:
    case AttemptResult::Status:
    case AttemptResult::Rescued:
    case AttemptResult::Outrun:
    case AttemptResult::Cancelled:
      return false;
  }
  return false;
}

/// True where another attempt is taken from the retry budget. The others add no load to any server: it was never
/// reached, never took the request, or is out of service. A shortage of lb's own would only grow by more attempts.
constexpr bool costs_budget(AttemptResult result) {
  switch (result) {
    case AttemptResult::Closed:
    case AttemptResult::Reset:
    case AttemptResult::FirstByteTimeout:
    case AttemptResult::IdleTimeout:
    case AttemptResult::BadResponse:
    case AttemptResult::Status:
    case AttemptResult::Shortage:
      return true;
    case AttemptResult::Ok:
    case AttemptResult::Refused:
    case AttemptResult::ConnectTimeout:
    case AttemptResult::Unreachable:
    case AttemptResult::ClosedIdle:
    case AttemptResult::Undelivered:
    case AttemptResult::Rescued:
    case AttemptResult::Outrun:
    case AttemptResult::Cancelled:
      return false;
  }
  return false;
}

/// How a request ended: every one in exactly one way.
enum class Outcome : std::uint8_t {
  Answered,    // a server's response went to the client whole
  LocalError,  // we answered, for want of a server's answer
  Cut,         // the client saw its response cut short, or lb ended before there was one
  ClientGone,  // the client left first
  Tunnelled,   // the connection was changed to another protocol, and that has ended
};
inline constexpr std::array<std::string_view, 5> kOutcomes{"answered", "local_error", "cut", "client_gone",
                                                           "tunnelled"};

/// Why we answered by ourselves; words of RFC 9209 §2.3 where it has one.
enum class LocalError : std::uint8_t {
  DestinationUnavailable,  // no server could be had before the deadline
  QueueFull,               // nor was there room to wait for one
  ConnectionRefused,
  ConnectionTimeout,
  ConnectionTerminated,  // the server went away before it answered
  ResponseTimeout,       // it did not answer in time
  ResponseInvalid,       // it did not answer in HTTP as we understand it
  RequestTooLarge,
  RequestTimeout,  // the client's own body took too long
  NoRoute,         // no route takes its host and path
  DotSegment,      // it would be another path to the server than to the routes
};
inline constexpr std::array<std::string_view, 11> kLocalErrors{"destination_unavailable",
                                                               "queue_full",
                                                               "connection_refused",
                                                               "connection_timeout",
                                                               "connection_terminated",
                                                               "http_response_timeout",
                                                               "http_protocol_error",
                                                               "http_request_too_large",
                                                               "http_request_timeout",
                                                               "no_route",
                                                               "dot_segment"};

/// Why a connection or request was turned away before it was anybody's.
enum class Rejection : std::uint8_t { ClientLimit, BadRequest, HeadTooLarge, HeadTimeout, Unsupported };
inline constexpr std::array<std::string_view, 5> kRejections{"client_limit", "bad_request", "head_too_large",
                                                             "head_timeout", "unsupported"};

/// What is missing where a listener takes no more connections for a while.
enum class Shortage : std::uint8_t {
  Connections,  // limits.connections are open, and none of them was idle for long enough
  Descriptors,  // the process, or the machine, has no more
};
inline constexpr std::array<std::string_view, 2> kShortages{"connections", "descriptors"};

/// Which time-out of a client's ran out.
enum class ClientTimeout : std::uint8_t {
  Head,      // a request's head was not whole in time
  Idle,      // no request came
  Body,      // a request's body came too slowly
  Response,  // a response was taken too slowly
};
inline constexpr std::array<std::string_view, 4> kClientTimeouts{"head", "idle", "body", "response"};

}  // namespace holdfast::lb
