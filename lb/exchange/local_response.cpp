#include "lb/exchange/local_response.h"

#include "common/http/rules.h"

namespace holdfast::lb {

LocalResponse response_to(LocalError error) {
  switch (error) {
    case LocalError::DestinationUnavailable:
      return {.status = 503, .text = "No server is available at the moment.", .retry_later = true};
    case LocalError::QueueFull:
      return {.status = 503, .text = "Too many requests wait for a server.", .retry_later = true};
    case LocalError::ConnectionRefused:
      return {.status = 502, .text = "The server could not be reached.", .retry_later = true};
    case LocalError::ConnectionTimeout:
      return {.status = 504, .text = "The server could not be reached in time.", .retry_later = true};
    case LocalError::ConnectionTerminated:
      return {.status = 502, .text = "The server closed the connection before it answered."};
    case LocalError::ResponseTimeout:
      return {.status = 504, .text = "The server did not answer in time."};
    case LocalError::ResponseInvalid:
      return {.status = 502, .text = "The server's answer was not valid HTTP."};
    case LocalError::RequestTooLarge:
      return {.status = 413, .text = "The request's body is too large."};
    case LocalError::RequestTimeout:
      return {.status = 408, .text = "The request took too long to arrive."};
    case LocalError::NoRoute:
      return {.status = 404, .text = "Nothing is served under this host and path."};
    case LocalError::DotSegment:
      return {.status = 400, .text = "The path has a dot segment."};
  }
  return {};
}

LocalResponse response_to_bad_client(const Error& error) {
  switch (error.code) {
    case Code::HeadTooLarge:
      return {.status = 431, .text = "The request's header fields are too large."};
    case Code::TargetTooLong:
      return {.status = 414, .text = "The request target is too long."};
    case Code::BodyTooLarge:
      return response_to(LocalError::RequestTooLarge);
    case Code::Timeout:
      return response_to(LocalError::RequestTimeout);
    case Code::TooMany:
      return {.status = 429, .text = "Too many connections from your address.", .retry_later = true};
    case Code::Unsupported:
      return {.status = 501, .text = error.why};
    case Code::OtherVersion:
      return {.status = 505, .text = error.why};
    case Code::Expectation:
      return {.status = 417, .text = error.why};
    default:
      return {.status = 400, .text = error.why};
  }
}

void write_local_response(std::string& out, const LocalResponse& response, DateField& date, bool is_head, bool closes,
                          bool is_http10) {
  out.clear();
  HeadWriter writer(out);
  writer.status_line(response.status, reason_phrase(response.status));
  writer.field("Date", date.now());
  writer.field("Content-Type", "text/plain; charset=utf-8");
  writer.field("Content-Length", response.text.size() + 1);
  if (response.retry_later) writer.field("Retry-After", std::uint64_t{1});
  if (closes) {
    writer.field("Connection", "close");
  } else if (is_http10) {
    writer.field("Connection", "keep-alive");
  }
  writer.end();
  if (!is_head) writer.append(response.text, "\n");
}

}  // namespace holdfast::lb
