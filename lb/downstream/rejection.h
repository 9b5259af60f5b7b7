// Why a client's message was not taken, as the metric and the access log call it.
// Thread: any.
#pragma once

#include "common/result.h"
#include "lb/reasons.h"

namespace holdfast::lb {

constexpr Rejection rejection_of(Code code) {
  switch (code) {
    case Code::HeadTooLarge:
    case Code::TargetTooLong:
      return Rejection::HeadTooLarge;
    case Code::Timeout:
      return Rejection::HeadTimeout;
    case Code::TooMany:
      return Rejection::ClientLimit;
    case Code::Unsupported:
    case Code::OtherVersion:
    case Code::Expectation:
      return Rejection::Unsupported;
    default:
      return Rejection::BadRequest;
  }
}

}  // namespace holdfast::lb
