#include "common/http/parser.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

/// Writes down what a parser says, pieces of body joined.
struct Journal final : RequestSink, ResponseSink {
  std::string text;
  std::string body;

  void on_request_head(const RequestHead& head) override {
    text += std::string(head.method_text) + " " + std::string(head.target) + fields(head);
  }
  void on_request_body(std::string_view bytes) override { body += bytes; }
  void on_request_end(std::span<const Field> trailers) override { end(trailers); }
  void on_response_interim(const ResponseHead& head) override {
    text += "interim " + std::to_string(head.status) + "; ";
  }
  void on_response_head(const ResponseHead& head) override {
    text += std::to_string(head.status) + " " + std::string(head.reason) + fields(head);
  }
  void on_response_body(std::string_view bytes) override { body += bytes; }
  void on_response_upgrade(const ResponseHead& head) override {
    text += "upgrade " + std::to_string(head.status) + fields(head);
  }
  void on_response_end(std::span<const Field> trailers) override { end(trailers); }

 private:
  static std::string list(std::span<const Field> fields) {
    std::string all;
    for (const Field& field : fields) all += " [" + std::string(field.name) + "=" + std::string(field.value) + "]";
    return all;
  }
  static std::string fields(const MessageHead& head) { return list(head.fields) + (head.keep_alive ? "" : " closes"); }
  void end(std::span<const Field> trailers) {
    text += " {" + body + "}" + list(trailers) + "; ";
    body.clear();
  }
};

/// Feeds `bytes` in pieces of `step`; returns what the journal holds, and the error behind it where there was one.
template <class Parser>
std::string feed(Parser& parser, Journal& journal, const std::string& bytes, std::size_t step) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    // A heap copy of exactly this piece: a view that outlives it is found by the sanitizer.
    const std::vector<char> piece(bytes.begin() + static_cast<long>(at),
                                  bytes.begin() + static_cast<long>(std::min(at + step, bytes.size())));
    std::size_t used = 0;
    while (used < piece.size()) {
      const auto more = parser.parse(std::span(piece).subspan(used));
      if (!more) return journal.text + "error: " + std::string(more.error().why);
      REQUIRE(*more > 0);
      used += *more;
    }
  }
  return journal.text;
}

std::string requests(const std::string& bytes, std::size_t step, const ParserLimits& limits = {}) {
  HeadScratch scratch;
  Journal journal;
  RequestParser parser(limits, scratch, journal);
  return feed(parser, journal, bytes, step);
}

std::string responses(const std::string& bytes, std::size_t step, Method method = Method::Get, bool ends = false) {
  HeadScratch scratch;
  Journal journal;
  ResponseParser parser({}, scratch, journal);
  parser.expect_answer_to(method);
  const std::string text = feed(parser, journal, bytes, step);
  if (!ends) return text;
  return parser.finish() ? journal.text : journal.text + "cut";
}

constexpr std::size_t kSteps[] = {1, 2, 7, 64, 100'000};

bool is_refused(const std::string& text) { return text.find("error: ") != text.npos; }

}  // namespace

TEST_CASE("requests read the same however they were split") {
  const std::string bytes =
      "\r\nGET /a HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nY:  b \t\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: "
      "gone\r\nX-Sum:  1 \r\nx-empty:\r\n\r\n"
      "GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      "GET http://h:80/e HTTP/1.0\r\n\r\n"
      "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n";
  const std::string expected =
      "GET /a [Host=x] [X-Empty=] [Y=b] {}; POST /b [Host=x] [Content-Length=3] {abc}; "
      "POST /c [Host=x] [Transfer-Encoding=Chunked] {abcde} [X-Sum=1] [x-empty=]; GET /d [Host=x] [Connection=close] "
      "closes {}; "
      "GET http://h:80/e closes {}; OPTIONS * [Host=[::1]:80] {}; ";
  for (const std::size_t step : kSteps) CHECK(requests(bytes, step) == expected);
}

TEST_CASE("blanks and tabs about a Content-Length mean nothing, within it they do") {
  for (const std::size_t step : kSteps) {
    for (const std::string value : {"\t3", "3\t", " \t3 \t", "3\t \t"}) {
      const std::string message = "Content-Length:" + value + "\r\nX: a\r\n\r\nabc";
      CHECK(requests("POST / HTTP/1.1\r\nHost: x\r\n" + message, step) ==
            "POST / [Host=x] [Content-Length=3] [X=a] {abc}; ");
      CHECK(responses("HTTP/1.1 200 OK\r\n" + message, step) == "200 OK [Content-Length=3] [X=a] {abc}; ");
    }
    for (const std::string value : {"3\t3", "\t3 \t3", "3\t,", "3\t\r\n\t3", "3\t\r\nContent-Length: 4\t"}) {
      const std::string message = "Content-Length:" + value + "\r\n\r\nabc";
      CHECK(is_refused(requests("POST / HTTP/1.1\r\nHost: x\r\n" + message, step)));
      CHECK(is_refused(responses("HTTP/1.1 200 OK\r\n" + message, step)));
    }
  }
}

TEST_CASE("responses read the same however they were split, interim ones on their way") {
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "2\r\n\r\nhi"
      "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"
      "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
      "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nServer-Timing: "
      "db\r\nContent-Length: 9\r\n\r\n";
  const std::string expected =
      "interim 100; interim 103; 200 OK [Content-Length=2] {hi}; 302 Found [Location=/x] [Content-Length=0] {}; "
      "204 No Content {}; 304 Not Modified [Content-Length=9] {}; 200  [Transfer-Encoding=chunked] {x} "
      "[Server-Timing=db]; ";
  for (const std::size_t step : kSteps) CHECK(responses(bytes, step) == expected);
}

TEST_CASE("the answer to a HEAD has no body whatever it says") {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t step : kSteps) {
    CHECK(responses(bytes, step, Method::Head) ==
          "200 OK [Content-Length=5] {}; 200 OK [Transfer-Encoding=chunked] {}; ");
  }
}

TEST_CASE("only a response without framing is ended by the end of its connection") {
  CHECK(responses("HTTP/1.1 200 OK\r\n\r\nrest", 7, Method::Get, true) == "200 OK closes {rest}; ");
  CHECK(responses("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrest", 7, Method::Get, true).ends_with("cut"));
  CHECK(responses("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrest\r\n", 7, Method::Get, true)
            .ends_with("cut"));
  CHECK(responses("HTTP/1.1 200 OK\r\nContent", 7, Method::Get, true).ends_with("cut"));
}

// Each of these llhttp 8.1 takes by itself: those that strict mode refuses, to see that it is on; those that it does
// not refuse, to see that we do.
TEST_CASE("what could be read in two ways is refused, in one read and byte by byte") {
  const std::string host = "Host: a\r\n";
  const std::vector<std::string> bad{
      "GET / HTTP/1.1\r\n" + host +
          "X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n",  // a bare CR (CVE-2023-30589's class)
      "GET / HTTP/1.1\r\n" + host + "\r\n\rXGET /admin HTTP/1.1\r\n" + host + "\r\n",  // CVE-2025-23167's class
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",                                            // a blank before the colon
      "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",  // a folded line (CVE-2024-27982's class)
      "GET / HTTP/1.1\r\n" + host + "X:\r\n b\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host + "X: a\r\n\tb\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n 3\r\n\r\nabc",
      "GET / HTTP/1.1\r\n" + host + ": x\r\n\r\n",  // a field without name
      "GET / HTTP/1.1\r\n" + host + "\n",           // the head ended by a bare LF
      "GET / HTTP/1.1\n" + host + "\r\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",  // no Host
      "GET / HTTP/1.1\r\n" + host + host + "\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: :\r\n\r\n",
      "GET /\r\n\r\n",  // HTTP/0.9
      "GET / HTTP/2.0\r\n" + host + "\r\n",
      "GET / HTTP/1.2\r\n" + host + "\r\n",
      "GET * HTTP/1.1\r\n" + host + "\r\n",
      "GET nonsense HTTP/1.1\r\n" + host + "\r\n",
      "GET http://u@h/ HTTP/1.1\r\n" + host + "\r\n",
      "GET ftp://h/ HTTP/1.1\r\n" + host + "\r\n",
      "GET /a#b HTTP/1.1\r\n" + host + "\r\n",
      "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n",
      "GET /\xc3\xa9?a HTTP/1.1\r\n" + host + "\r\n",
      "GET /?\xc3\xa9\x01 HTTP/1.1\r\n" + host + "\r\n",
      "GET /?\xc3\xa9\x7f HTTP/1.1\r\n" + host + "\r\n",
      "GET /?\xc3\xa9 b HTTP/1.1\r\n" + host + "\r\n",
      "GET /?\xc3\xa9#b HTTP/1.1\r\n" + host + "\r\n",
      "GET /?\xc3\xa9 HTTP/1.1\xc3\r\n" + host + "\r\n",
      "GET /\x01 HTTP/1.1\r\n" + host + "\r\n",
      "GET /\x7f HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1\r\n" + host + "X: a\x01\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551615\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: ,chunked\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nZ\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
      "POST / HTTP/1.1\r\n" + host + "Expect: miracles\r\nContent-Length: 1\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n",
      "NONSENSE / HTTP/1.1\r\n" + host + "\r\n",
      "\x16\x03\x01\x02",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const std::string& bytes : bad) {
    for (const std::size_t step : kSteps) {
      CAPTURE(bytes);
      CAPTURE(step);
      CHECK(is_refused(requests(bytes, step)));
    }
  }
}

TEST_CASE("a response that could be read in two ways is refused") {
  for (const std::string bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n", "HTTP/1.1 600 No\r\n\r\n", "HTTP/1.1 200 OK\rX: y\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n"}) {
    for (const std::size_t step : kSteps) {
      CAPTURE(bytes);
      CHECK(is_refused(responses(bytes, step)));
    }
  }
}

TEST_CASE("a trailer is judged as strictly as a header, and none that the head decides goes on") {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  const std::string read = "POST / [Host=a] [Transfer-Encoding=chunked] {}";
  for (const std::size_t step : kSteps) {
    for (const std::string name : {"Transfer-Encoding",
                                   "content-length",
                                   "HOST",
                                   "Connection",
                                   "Keep-Alive",
                                   "Proxy-Connection",
                                   "TE",
                                   "Trailer",
                                   "Upgrade",
                                   "Authorization",
                                   "Proxy-Authorization",
                                   "WWW-Authenticate",
                                   "Cookie",
                                   "Set-Cookie",
                                   "Content-Type",
                                   "Content-Encoding",
                                   "Content-Range",
                                   "Cache-Control",
                                   "Expires",
                                   "If-Match",
                                   "Range",
                                   "Expect",
                                   "Location",
                                   "X-Forwarded-For",
                                   "Forwarded",
                                   "Via",
                                   "X-Request-ID",
                                   "Idempotency-Key",
                                   "Lb-Drain",
                                   "Retry-After"}) {
      CAPTURE(name);
      CHECK(requests(start + "A: 1\r\n" + name + ": b\r\nC: 3\r\n\r\n", step) == read + " [A=1] [C=3]; ");
    }
    CHECK(requests(start + "Content-Digest: x\r\nETag: y\r\n\r\n", step) == read + " [Content-Digest=x] [ETag=y]; ");
    for (const std::string lines :
         {"A : 1\r\n", ": 1\r\n", "A\r\n", "A: 1\r\n b\r\n", " A: 1\r\n", "A: 1\n", "A: 1\r\r\n", "A: b\rC: d\r\n",
          "A: \x01\r\n", "A b: 1\r\n", "\rX: 1\r\n", "\n", "A: 1\r\n\n", "Host : b\r\n", "Host: b\r\n c\r\n"}) {
      CAPTURE(lines);
      CHECK(is_refused(requests(start + lines + "\r\n", step)));
    }
    CHECK(is_refused(requests(start + std::string("A: \0\r\n\r\n", 9), step)));
    // What is dropped counts as well, and so does a line that never ends.
    std::string many = start;
    for (int i = 0; i < 200; ++i) many += "Host: a\r\n";
    CHECK(is_refused(requests(many + "\r\n", step)));
    CHECK(is_refused(requests(start + "Host: " + std::string(20'000, 'a'), step)));
    CHECK(is_refused(requests(start + std::string(20'000, 'a'), step)));
  }
}

TEST_CASE("a 101 that was asked for ends HTTP exactly behind its head") {
  const std::string tunnel = "HTTP/1.1 200 OK\r\n\r\n";
  for (const std::string extra : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const std::string head =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n" + extra + "\r\n";
    for (const bool is_after_interim : {false, true}) {
      const std::string bytes = (is_after_interim ? "HTTP/1.1 103 Hints\r\n\r\n" : "") + head;
      HeadScratch scratch;
      Journal journal;
      ResponseParser parser({}, scratch, journal);
      parser.expect_answer_to(Method::Get, true);
      const std::string all = bytes + tunnel;
      const auto used = parser.parse(all);
      REQUIRE(used.has_value());
      CHECK(*used == bytes.size());
      CHECK(parser.is_upgraded());
      CHECK(journal.text.find("upgrade 101 [Connection=Upgrade] [Upgrade=x]") != std::string::npos);
      CHECK(journal.text.find("{") == std::string::npos);
    }
    HeadScratch scratch;
    Journal journal;
    ResponseParser parser({}, scratch, journal);
    parser.expect_answer_to(Method::Get, true);
    const std::string text = feed(parser, journal, head, 1);
    CHECK(text.starts_with("upgrade 101"));
    CHECK(parser.is_upgraded());
  }
  for (const std::string head : {"HTTP/1.1 101 X\r\n\r\n", "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
                                 "HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n",
                                 "HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"}) {
    CAPTURE(head);
    HeadScratch scratch;
    Journal journal;
    ResponseParser parser({}, scratch, journal);
    parser.expect_answer_to(Method::Get, true);
    CHECK(is_refused(feed(parser, journal, head, 100)));
  }
  HeadScratch scratch;
  Journal journal;
  ResponseParser parser({}, scratch, journal);
  parser.expect_answer_to(Method::Get, true);
  CHECK_FALSE(is_refused(feed(parser, journal, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 7)));
  CHECK_FALSE(parser.is_upgraded());
}

TEST_CASE("every size has its bound, and what is within it is taken") {
  const ParserLimits limits{.head_bytes = 300, .target_bytes = 50, .fields = 5};
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::size_t step : kSteps) {
    CHECK_FALSE(is_refused(requests("GET /" + std::string(49, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", step, limits)));
    CHECK(is_refused(requests("GET /" + std::string(50, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", step, limits)));
    CHECK_FALSE(is_refused(requests(start + "X: " + std::string(200, 'a') + "\r\n\r\n", step, limits)));
    CHECK(is_refused(requests(start + "X: " + std::string(300, 'a') + "\r\n\r\n", step, limits)));
    CHECK(is_refused(requests("GET /" + std::string(1000, 'a'), step, limits)));
    CHECK_FALSE(is_refused(requests(start + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n", step, limits)));
    CHECK(is_refused(requests(start + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n", step, limits)));
    std::string trailers = start + "Transfer-Encoding: chunked\r\n\r\n0\r\n";
    for (int i = 0; i < 6; ++i) trailers += "T: 1\r\n";
    CHECK(is_refused(requests(trailers + "\r\n", step, limits)));
  }
}

TEST_CASE("between messages a parser holds no bytes") {
  HeadScratch scratch;
  Journal journal;
  RequestParser parser({}, scratch, journal);
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(500, 'x') + "\r\n\r\n";
  CHECK(parser.is_between());
  feed(parser, journal, bytes.substr(0, 100), 100);
  CHECK_FALSE(parser.is_between());
  CHECK(parser.held_bytes() >= 100);
  feed(parser, journal, bytes.substr(100), 1000);
  CHECK(parser.is_between());
  CHECK(parser.held_bytes() < 32);
}

TEST_CASE("passes the bytes of a query as they are, however the head is split") {
  const std::string head = "?q=100%&u=%u20AC&\xc3\xa9=\xff\x80? HTTP/1.1\r\nX: \xe9\r\nHost: a\r\n";
  for (const std::size_t step : kSteps) {
    CAPTURE(step);
    HeadScratch scratch;
    Journal journal;
    RequestParser parser({}, scratch, journal);
    const std::string said = "?q=100%&u=%u20AC&\xc3\xa9=\xff\x80? [X=\xe9] [Host=a]";
    const std::string requests = "GET /a" + head + "\r\nPOST http://h" + head + "Content-Length: 2\t\r\n\r\nhi" +
                                 "POST /" + head + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    CHECK(feed(parser, journal, requests, step) == "GET /a" + said + " {}; POST http://h" + said +
                                                       " [Content-Length=2] {hi}; POST /" + said +
                                                       " [Transfer-Encoding=chunked] {hi}; ");
  }
}

TEST_CASE("accepts an empty Host, as a client sends for a target without authority") {
  HeadScratch scratch;
  Journal journal;
  RequestParser parser({}, scratch, journal);
  CHECK(feed(parser, journal, "GET / HTTP/1.1\r\nHost:\r\n\r\nGET / HTTP/1.0\r\nHost: \r\n\r\n", 1000) ==
        "GET / [Host=] {}; GET / [Host=] closes {}; ");
}
