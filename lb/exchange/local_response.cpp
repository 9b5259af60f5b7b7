#include "lb/exchange/local_response.h"

#include "common/escape.h"
#include "common/http/rules.h"

namespace holdfast::lb {
namespace {

/// A trusted proxy's id may hold anything that a field may: only what is a URI reference as it stands is one.
bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") ==
             std::string_view::npos;
}

/// RFC 9457.
std::string problem(const LocalResponse& response, std::string_view request_id) {
  std::string out = R"({"type":"about:blank","title":)";
  append_json_string(out, reason_phrase(response.status));
  out += ",\"status\":" + std::to_string(response.status) + ",\"detail\":";
  append_json_string(out, response.text);
  if (is_plain_id(request_id)) {
    out += ",\"instance\":";
    append_json_string(out, request_id);
  }
  return out + "}\n";
}

}  // namespace

LocalResponse response_to(LocalError error) {
  switch (error) {
    case LocalError::DestinationUnavailable:
      return {.status = 503,
              .text = "No server is available at the moment.",
              .proxy_error = "destination_unavailable",
              .retry_later = true};
    case LocalError::QueueFull:
      return {.status = 503,
              .text = "Too many requests wait for a server.",
              .proxy_error = "connection_limit_reached",
              .retry_later = true};
    case LocalError::ConnectionRefused:
      return {.status = 502,
              .text = "The server could not be reached.",
              .proxy_error = "connection_refused",
              .retry_later = true};
    case LocalError::ConnectionTimeout:
      return {.status = 504,
              .text = "The server could not be reached in time.",
              .proxy_error = "connection_timeout",
              .retry_later = true};
    case LocalError::ConnectionTerminated:
      return {.status = 502,
              .text = "The server closed the connection before it answered.",
              .proxy_error = "connection_terminated"};
    case LocalError::ResponseTimeout:
      return {.status = 504, .text = "The server did not answer in time.", .proxy_error = "http_response_timeout"};
    case LocalError::ResponseInvalid:
      return {.status = 502, .text = "The server's answer was not valid HTTP.", .proxy_error = "http_protocol_error"};
    case LocalError::RequestTooLarge:
      return {.status = 413, .text = "The request's body is too large.", .proxy_error = "http_request_error"};
    case LocalError::RequestTimeout:
      return {.status = 408, .text = "The request took too long to arrive.", .proxy_error = "http_request_error"};
    case LocalError::NoRoute:
      return {
          .status = 404, .text = "Nothing is served under this host and path.", .proxy_error = "destination_not_found"};
    case LocalError::DotSegment:
      return {.status = 400, .text = "The path has a dot segment.", .proxy_error = "http_request_error"};
  }
  return {};
}

LocalResponse response_to_bad_client(const Error& error) {
  switch (error.code) {
    case Code::HeadTooLarge:
      return {.status = 431, .text = "The request's header fields are too large.", .proxy_error = "http_request_error"};
    case Code::TargetTooLong:
      return {.status = 414, .text = "The request target is too long.", .proxy_error = "http_request_error"};
    case Code::BodyTooLarge:
      return response_to(LocalError::RequestTooLarge);
    case Code::Timeout:
      return response_to(LocalError::RequestTimeout);
    case Code::TooMany:
      return {.status = 429,
              .text = "Too many connections from your address.",
              .proxy_error = "http_request_error",
              .retry_later = true};
    case Code::Unsupported:
      return {.status = 501, .text = error.why, .proxy_error = "http_request_error"};
    case Code::OtherVersion:
      return {.status = 505, .text = error.why, .proxy_error = "http_request_error"};
    case Code::Expectation:
      return {.status = 417, .text = error.why, .proxy_error = "http_request_error"};
    default:
      return {.status = 400, .text = error.why, .proxy_error = "http_request_error"};
  }
}

bool wants_text(const RequestHead& head) {
  const Field* accept = head.find("Accept");
  return accept != nullptr && accept->value.find("text/") != std::string_view::npos &&
         accept->value.find("json") == std::string_view::npos;
}

void write_local_response(std::string& out, const LocalResponse& response, DateField& date, const LocalReader& reader) {
  const std::string body = reader.wants_text ? std::string(response.text) + "\n" : problem(response, reader.request_id);
  out.clear();
  HeadWriter writer(out);
  writer.status_line(response.status, reason_phrase(response.status));
  writer.field("Date", date.now());
  writer.field("Content-Type", reader.wants_text ? "text/plain; charset=utf-8" : "application/problem+json");
  writer.field("Content-Length", body.size());
  writer.field("Cache-Control", "no-store");
  writer.append("Proxy-Status: lb; error=", response.proxy_error, "\r\n");
  if (!reader.request_id.empty()) writer.field("X-Request-ID", reader.request_id);
  if (response.retry_later) writer.field("Retry-After", std::uint64_t{1});
  if (reader.closes) {
    writer.field("Connection", "close");
  } else if (reader.is_http10) {
    writer.field("Connection", "keep-alive");
  }
  writer.end();
  if (!reader.is_head) out += body;
}

}  // namespace holdfast::lb
