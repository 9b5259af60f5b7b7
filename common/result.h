// Error and Result: what the world does wrong is a value. What we do wrong asserts (common/assert.h).
#pragma once

#include <string_view>
#include <tl/expected.hpp>

namespace holdfast {

/// Whose doing it was: decides 4xx, 502/504 or 500, and whose counter moves.
enum class Side { Downstream, Upstream, Self };

/// What went wrong, coarse enough to decide by; `Error::why` has the words.
enum class Code {
  BadMessage,     // not HTTP as we understand it exactly
  Unsupported,    // understood, and not done here
  OtherVersion,   // HTTP, but neither 1.0 nor 1.1
  Expectation,    // an expectation that nobody here can meet
  HeadTooLarge,   // the head or its number of fields is over the limit
  TargetTooLong,  // the request target is over the limit
  BodyTooLarge,   // the body is over the limit
  TooMany,        // more at a time than one peer may have
  Refused,        // nobody listens there
  Unreachable,    // no route, no such name
  Shortage,       // this process or its host has no descriptor, port or memory left: nobody else's fault
  Timeout,        // a time-out of ours ran out
  Closed,         // end of stream where more was owed
  Reset,          // the connection broke
  AddressInUse,   // somebody else listens there
  BadAddress,     // not host:port
  Internal,       // none of the above
};

/// An error as a value. Making one allocates nothing.
struct Error {
  Code code = Code::Internal;
  Side side = Side::Self;
  int sys = 0;           // libuv's error (negative), 0 where none
  std::string_view why;  // a string literal
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(Code code, Side side, std::string_view why, int sys = 0) {
  return tl::unexpected(Error{.code = code, .side = side, .sys = sys, .why = why});
}

}  // namespace holdfast
