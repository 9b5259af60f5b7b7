// Responses that lb makes itself: the status, a short text, and never a detail of the inside.
// Thread: worker.
#pragma once

#include "common/http/writer.h"
#include "common/result.h"
#include "lb/reasons.h"

#include <string>
#include <string_view>

namespace holdfast::lb {

struct LocalResponse {
  int status = 500;
  std::string_view text;     // one line for a person
  bool retry_later = false;  // says Retry-After: 1
};

LocalResponse response_to(LocalError error);
/// To a client whose message or manners could not be accepted.
LocalResponse response_to_bad_client(const Error& error);

/// Writes the whole response into `out`, which is cleared first. To a HEAD, pass `is_head`.
void write_local_response(std::string& out, const LocalResponse& response, DateField& date, bool is_head, bool closes,
                          bool is_http10);

}  // namespace holdfast::lb
