// Responses that lb makes itself: the status, a short text, RFC 9209's word for the reason, and never a detail of the
// inside: no address, no name of a pool or server.
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
  std::string_view text;           // one line for a person
  std::string_view proxy_error{};  // a type of RFC 9209 §2.3
  bool retry_later = false;        // says Retry-After: 1
};

LocalResponse response_to(LocalError error);
/// To a client whose message or manners could not be accepted.
LocalResponse response_to_bad_client(const Error& error);

/// Who gets it, and how its connection goes on.
struct LocalReader {
  std::string_view request_id{};
  bool wants_text = false;  // see wants_text()
  bool is_head = false;     // gets no body
  bool closes = false;
  bool is_http10 = false;
};

/// The request's Accept asks for text and names no JSON: a person's browser. Anybody else gets problem+json (RFC 9457).
bool wants_text(const RequestHead& head);

/// Writes the whole response into `out`, which is cleared first.
void write_local_response(std::string& out, const LocalResponse& response, DateField& date, const LocalReader& reader);

}  // namespace holdfast::lb
