#include "lb/exchange/local_response.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

std::string written(const LocalResponse& response, const LocalReader& reader) {
  DateField date;
  std::string out = "what was here before";
  write_local_response(out, response, date, reader);
  return out;
}

bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != head.npos;
}

std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

bool wants_text_with(std::string_view accept) {
  const Field field{"accept", accept, FieldId::Other};
  RequestHead head;
  head.fields = {&field, 1};
  return wants_text(head);
}

}  // namespace

TEST_CASE("every reason has a status, a text and a type of RFC 9209") {
  for (std::size_t i = 0; i < kLocalErrors.size(); ++i) {
    CAPTURE(kLocalErrors[i]);
    const LocalResponse response = response_to(static_cast<LocalError>(i));
    CHECK(response.status >= 400);
    CHECK_FALSE(response.text.empty());
    CHECK_FALSE(response.proxy_error.empty());
    CHECK(written(response, {}).starts_with("HTTP/1.1 " + std::to_string(response.status) + " "));
  }
}

TEST_CASE("a local response is a problem in JSON with its reason and the request's id") {
  const std::string out = written(response_to(LocalError::ConnectionRefused), {.request_id = "id-1"});
  CHECK(has_line(out, "Proxy-Status: lb; error=connection_refused"));
  CHECK(has_line(out, "Content-Type: application/problem+json"));
  CHECK(has_line(out, "Cache-Control: no-store"));
  CHECK(has_line(out, "X-Request-ID: id-1"));
  CHECK(has_line(out, "Retry-After: 1"));
  CHECK(has_line(out, "Content-Length: " + std::to_string(body_of(out).size())));
  CHECK(body_of(out) ==
        "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\"detail\":\"The server could not be "
        "reached.\",\"instance\":\"id-1\"}\n");
}

TEST_CASE("an id that could break out of the JSON is not in it") {
  const std::string out = written(response_to(LocalError::NoRoute), {.request_id = "a\",\"b"});
  CHECK(body_of(out).find("instance") == std::string::npos);
  CHECK(written({.status = 400, .text = "a \"b\""}, {}).find(R"("detail":"a \"b\"")") != std::string::npos);
}

TEST_CASE("a browser gets text, a HEAD no body but its length") {
  const LocalResponse response = response_to(LocalError::RequestTooLarge);
  CHECK(body_of(written(response, {.wants_text = true})) == "The request's body is too large.\n");
  const std::string head = written(response, {.wants_text = true, .is_head = true, .closes = true});
  CHECK(body_of(head).empty());
  CHECK(has_line(head, "Content-Length: 33"));
  CHECK(has_line(head, "Connection: close"));
}

TEST_CASE("Accept chooses between text and JSON") {
  CHECK(wants_text_with("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
  CHECK(wants_text_with("text/plain"));
  CHECK_FALSE(wants_text_with("*/*"));
  CHECK_FALSE(wants_text_with("application/problem+json, text/plain;q=0.5"));
  CHECK_FALSE(wants_text(RequestHead{}));
}
