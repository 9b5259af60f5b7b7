#include "lb/access_log/line.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {

// 2026-11-25T06:52:44.007Z
constexpr auto kNow = std::chrono::system_clock::time_point(1'795'589'564'007ms);

struct Request {
  Request() {
    head.method_text = "GET";
    head.target = "/a?b=c";
    head.host = "example.com";
    fields = {{"User-Agent", "curl/7"}, {"referer", "https://a.example/"}};
  }
  AccessEntry entry() {
    head.fields = fields;
    texts.keep(head, "192.0.2.1");
    return {.request_id = "id-1",
            .peer = "192.0.2.1",
            .texts = &texts,
            .attempts = &attempts,
            .pool = "web",
            .status = 302,
            .bytes_in = 120,
            .bytes_out = 340,
            .duration = 1'234'567ns,
            .outcome = "answered"};
  }
  RequestHead head;
  std::vector<Field> fields;
  RequestTexts texts;
  AttemptNotes attempts;
};

std::string line(AccessFormat format, const AccessEntry& entry) {
  std::string out;
  SecondText second;
  append_line(out, format, entry, kNow, second);
  return out;
}

}  // namespace

TEST_CASE("a line in JSON has the request, its durations and its attempts") {
  Request request;
  request.attempts.add("s1") = {.server = "s1", .result = AttemptResult::Reset, .duration = 500us};
  AttemptNote& second = request.attempts.add("s2");
  second = {.server = "s2", .result = AttemptResult::Ok, .duration = 700us, .connect = 90us, .first_byte = 650us};
  CHECK(line(AccessFormat::Json, request.entry()) ==
        R"({"time":"2026-11-25T06:52:44.007Z","request_id":"id-1","client":"192.0.2.1","method":"GET",)"
        R"("host":"example.com","path":"/a","query":"b=c","version":"1.1","status":302,"bytes_in":120,)"
        R"("bytes_out":340,"duration_ms":1.234,"connect_ms":0.090,"first_byte_ms":0.650,"outcome":"answered",)"
        R"("pool":"web","attempts":[{"server":"s1","ms":0.500,"result":"reset"},)"
        R"({"server":"s2","ms":0.700,"connect_ms":0.090,"first_byte_ms":0.650,"result":"ok"}],)"
        R"("user_agent":"curl/7","referer":"https://a.example/"})"
        "\n");
}

TEST_CASE("the times are those of the attempt that answered, be it the hedge or not") {
  Request request;
  request.attempts.add("s1") = {.server = "s1", .result = AttemptResult::Ok, .duration = 9ms, .first_byte = 8ms};
  request.attempts.add("s2") = {
      .server = "s2", .result = AttemptResult::Outrun, .duration = 1ms, .connect = 90us, .is_hedge = true};
  const std::string text = line(AccessFormat::Json, request.entry());
  CHECK(text.find(R"("duration_ms":1.234,"first_byte_ms":8.000,"outcome")") != text.npos);
  CHECK(text.find(R"("result":"ok"},{"server":"s2","ms":1.000,"connect_ms":0.090,"result":"outrun","hedge":true}])") !=
        text.npos);
}

TEST_CASE("a line in the combined format") {
  Request request;
  CHECK(line(AccessFormat::Combined, request.entry()) ==
        "192.0.2.1 - - [25/Nov/2026:06:52:44 +0000] \"GET /a?b=c HTTP/1.1\" 302 340 \"https://a.example/\" "
        "\"curl/7\"\n");
}

TEST_CASE("no byte of a client's breaks out of its line or its quotes") {
  Request request;
  request.head.target = "/\"\\\n\x1b[2J\xc3\xa9\xff";
  request.fields = {{"User-Agent", "a\" \"b\r\nc"}};
  CHECK(line(AccessFormat::Json, request.entry())
            .find(R"("path":"/\"\\\u000a\u001b[2Jé)"
                  "\xef\xbf\xbd\"") != std::string::npos);
  const std::string combined = line(AccessFormat::Combined, request.entry());
  CHECK(combined.find(R"("GET /\"\\\x0a\x1b[2Jé\xff HTTP/1.1")") != std::string::npos);
  CHECK(combined.find(R"("a\" \"b\x0d\x0ac")") != std::string::npos);
  CHECK(combined.find('\n') == combined.size() - 1);
}

TEST_CASE("who was refused before a head could be read has a line, too") {
  const AccessEntry entry{.request_id = "id-2",
                          .peer = "2001:db8::1",
                          .status = 400,
                          .outcome = "refused",
                          .reason = "bad_request",
                          .why = "a bare CR"};
  CHECK(line(AccessFormat::Json, entry) ==
        R"({"time":"2026-11-25T06:52:44.007Z","request_id":"id-2","client":"2001:db8::1","status":400,)"
        R"("bytes_in":0,"bytes_out":0,"duration_ms":0.000,"outcome":"refused","reason":"bad_request",)"
        R"("why":"a bare CR"})"
        "\n");
  CHECK(line(AccessFormat::Combined, entry) ==
        "2001:db8::1 - - [25/Nov/2026:06:52:44 +0000] \"-\" 400 0 \"-\" \"-\"\n");
}

TEST_CASE("a client that left before it was answered has status 499") {
  Request request;
  AccessEntry entry = request.entry();
  entry.status = 0;
  CHECK(line(AccessFormat::Json, entry).find("\"status\":499") != std::string::npos);
}

TEST_CASE("a client behind a trusted proxy is told apart from it") {
  Request request;
  AccessEntry entry = request.entry();
  entry.peer = "10.0.0.1";
  CHECK(line(AccessFormat::Json, entry).find(R"("client":"192.0.2.1","peer":"10.0.0.1")") != std::string::npos);
  CHECK(line(AccessFormat::Combined, entry).starts_with("192.0.2.1 "));
}

TEST_CASE("long texts are cut") {
  Request request;
  const std::string target = "/" + std::string(5000, 'a');
  request.head.target = target;
  const std::string text = line(AccessFormat::Json, request.entry());
  CHECK(text.find("a…\"") != std::string::npos);
  CHECK(text.size() < 3000);
}

TEST_CASE("of many attempts the first ones and the last one are kept, and all are counted") {
  Request request;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("s" + std::to_string(i));
  for (const std::string& name : names) request.attempts.add(name);
  CHECK(request.attempts.count() == 20);
  CHECK(request.attempts.kept().front().server == "s0");
  CHECK(request.attempts.kept().back().server == "s19");
  CHECK(line(AccessFormat::Json, request.entry()).find("\"attempts_count\":20") != std::string::npos);
}
