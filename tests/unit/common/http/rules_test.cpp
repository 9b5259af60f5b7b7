#include "common/http/rules.h"

#include "common/http/parser.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace holdfast;

namespace {

struct Silent final : RequestSink, ResponseSink {
  unsigned heads = 0;
  void on_request_head(const RequestHead&) override { ++heads; }
  void on_request_body(std::string_view) override {}
  void on_request_end(std::span<const Field>) override {}
  void on_response_interim(const ResponseHead&) override {}
  void on_response_upgrade(const ResponseHead&) override {}
  void on_response_head(const ResponseHead&) override { ++heads; }
  void on_response_body(std::string_view) override {}
  void on_response_end(std::span<const Field>) override {}
};

constexpr std::size_t kSteps[] = {1, 3, 100'000};

/// What `bytes` are refused with; nothing where they are not.
template <class Parser, class Sink>
std::optional<Code> refusal(const std::string& bytes, std::size_t step) {
  HeadScratch scratch;
  Silent sink;
  Parser parser({}, scratch, static_cast<Sink&>(sink));
  for (std::size_t at = 0; at < bytes.size();) {
    const auto used = parser.parse(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
    if (!used) return used.error().code;
    at += *used;
  }
  return std::nullopt;
}

auto request_refusal = refusal<RequestParser, RequestSink>;
auto response_refusal = refusal<ResponseParser, ResponseSink>;

constexpr std::string_view kHost = "\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("a request that is no good is told apart from one that is not done here, however it was split") {
  const std::vector<std::pair<std::string, Code>> cases{
      {"FOO / HTTP/1.1", Code::Unsupported},
      {"get / HTTP/1.1", Code::Unsupported},
      {"GETX /a HTTP/1.0", Code::Unsupported},
      {"DESCRIBE / HTTP/1.1", Code::Unsupported},
      {"CONNECT a:1 HTTP/1.1", Code::Unsupported},
      {"GET / HTTP/2.0", Code::OtherVersion},
      {"GET / HTTP/1.2", Code::OtherVersion},
      {"GET / HTTP/3.1", Code::OtherVersion},
      {"FOO / HTTP/2.0", Code::OtherVersion},
      {"PRI * HTTP/2.0", Code::OtherVersion},
      {"GET /", Code::BadMessage},
      {"GET / HTTP/0.9", Code::BadMessage},
      {"GET / HTTP/1.10", Code::BadMessage},
      {"GET / HTTP/11", Code::BadMessage},
      {"GET / http/1.1", Code::BadMessage},
      {"GET / HTTP/1.1 ", Code::BadMessage},
      {"GET / / HTTP/1.1", Code::BadMessage},
      {"GET  / HTTP/1.1", Code::BadMessage},
      {"GET /  HTTP/1.1", Code::BadMessage},
      {"GET\t/ HTTP/1.1", Code::BadMessage},
      {" GET / HTTP/1.1", Code::BadMessage},
      {"G@T / HTTP/1.1", Code::BadMessage},
      {"FOO / RTSP/1.0", Code::BadMessage},
      {"PLAY / RTSP/1.0", Code::BadMessage},
      {"OPTIONS / RTSP/1.0", Code::BadMessage},
      {"SOURCE / ICE/1.0", Code::BadMessage},
      {"SSH-2.0-OpenSSH", Code::BadMessage},
      {"\x16\x03\x01\x02\x01\x01", Code::BadMessage},
  };
  for (const auto& row : cases) {
    const auto& line = row.first;
    const auto& code = row.second;
    for (const std::size_t step : kSteps) {
      CAPTURE(line);
      CAPTURE(step);
      CHECK(request_refusal(line + std::string(kHost), step) == code);
    }
  }
  CHECK(request_refusal("\x16\x03", 1) == Code::BadMessage);  // nobody waits for the end of a line of TLS
  CHECK(request_refusal(std::string(40, 'A'), 40) == Code::BadMessage);
  CHECK(request_refusal("FOO /" + std::string(9000, 'a'), 1000) == Code::TargetTooLong);
}

TEST_CASE("a few empty lines before a request are passed over, and nothing that only looks like one") {
  const std::string request = "GET / HTTP/1.1" + std::string(kHost);
  for (const std::size_t step : kSteps) {
    CHECK_FALSE(request_refusal("\r\n\r\n" + request + "\r\n" + request + "\r\n", step));
    CHECK(request_refusal("\r\n\r\n\r\n\r\n\r\n" + request, step) == Code::BadMessage);
    CHECK(request_refusal("\n" + request, step) == Code::BadMessage);
    CHECK(request_refusal("\r" + request, step) == Code::BadMessage);
    CHECK(request_refusal("\r\r\n" + request, step) == Code::BadMessage);
    CHECK(response_refusal("\r\nHTTP/1.1 204 No Content\r\n\r\n", step) == Code::BadMessage);
  }
}

TEST_CASE("targets: their forms, their bytes, their escapes") {
  for (const std::string_view good :
       {"/", "/?", "/a?b=c&d", "//x", "/%20", "/a%2Fb", "/%e4%b8", "/?q=%00", "/?q=100%", "/?q=%4", "/?u=%u20AC",
        "/?q=\xc3\xa9", "/?q=\xff\x80", "/a|b{c}^`\"<>\\", "http://h", "http://h?q=\xc3\xa9%", "HTTP://h:80/a",
        "https://[::1]:1/?x", "http://h?x"}) {
    CAPTURE(good);
    CHECK(is_valid_target(Method::Get, good));
  }
  for (const std::string_view bad : {"",
                                     "a",
                                     "/ ",
                                     "/#",
                                     "/a#b",
                                     "/%",
                                     "/%4",
                                     "/%4g",
                                     "/%zz",
                                     "/%00",
                                     "/a%00?b",
                                     "*",
                                     "http://",
                                     "http:///a",
                                     "http:/a",
                                     "http://u@h/",
                                     "http://u:p@h/",
                                     "ftp://h/",
                                     "http://h:x/",
                                     "http://h:70000/",
                                     "h:80",
                                     "/\x7f",
                                     "/\t",
                                     "/\xc3\xa9",
                                     "/\xc3\xa9?q=\xc3\xa9",
                                     "/%?q=%",
                                     "/?q=a b",
                                     "/?q=\t",
                                     "/?q=\x7f",
                                     "/?q=\x01",
                                     "/?q=\xc3#",
                                     "http://h\xc3?q",
                                     "?a"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_valid_target(Method::Get, bad));
  }
  CHECK(is_valid_target(Method::Options, "*"));
}

TEST_CASE("a server is asked in origin-form, whatever form the client used") {
  const auto parts = [](std::string_view target, Method method = Method::Get) {
    const TargetParts made = split_target(method, target);
    return std::string(made.authority) + " " + (made.has_no_path ? "/" : "") + std::string(made.origin_form);
  };
  CHECK(parts("/a?b") == " /a?b");
  CHECK(parts("http://h:1/a?b") == "h:1 /a?b");
  CHECK(parts("http://h") == "h /");
  CHECK(parts("http://h?b") == "h /?b");
  CHECK(parts("*", Method::Options) == " *");
  CHECK(parts("http://h", Method::Options) == "h *");
  CHECK(parts("http://h/", Method::Options) == "h /");
}

TEST_CASE("framing and expectations that are not understood") {
  const auto post = [](const std::string& fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n\r\n"; };
  for (const std::size_t step : kSteps) {
    CHECK(request_refusal(post("Transfer-Encoding: gzip, chunked"), step) == Code::Unsupported);
    for (const std::string coding :
         {"gzip", "chunked, gzip", "chunked, chunked", "gzip chunked", "xchunked", ", chunked", "chunked;a=b",
          "identity", "\"chunked\"", "chunked,", "gzip, chunked, chunked"}) {
      CAPTURE(coding);
      CHECK(request_refusal(post("Transfer-Encoding: " + coding), step) == Code::BadMessage);
    }
    CHECK(request_refusal(post("Expect: 200-maybe"), step) == Code::Expectation);
    CHECK_FALSE(request_refusal(post("Content-Length: 0003") + "abc", step));
  }
}

TEST_CASE("every Connection line names fields") {
  const Field fields[] = {{"Connection", "close, A", FieldId::Connection}, {"Connection", "b", FieldId::Connection}};
  MessageHead head;
  head.fields = fields;
  head.connection = fields[0].value;
  head.has_more_connections = true;
  CHECK(connection_names(head, "a"));
  CHECK(connection_names(head, "B"));
  CHECK_FALSE(connection_names(head, "c"));
}

TEST_CASE("what comes around the data of a chunked body is bounded") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t step : {std::size_t{100}, std::size_t{1000}}) {
    CHECK_FALSE(request_refusal(start + "1;" + std::string(1000, 'a') + "\r\nx\r\n0\r\n\r\n", step));
    CHECK(request_refusal(start + "1;" + std::string(20'000, 'a'), step) == Code::BadMessage);
    CHECK(request_refusal(start + std::string(20'000, '0'), step) == Code::BadMessage);
    std::string many = start;
    for (int i = 0; i < 30; ++i) many += "1;" + std::string(1000, 'a') + "\r\nx\r\n";
    CHECK(request_refusal(many, step) == Code::BadMessage);
    std::string hints;
    for (int i = 0; i < 40; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
    CHECK(response_refusal(hints, step) == Code::BadMessage);
  }
}
