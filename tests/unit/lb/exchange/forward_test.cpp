#include "lb/exchange/forward.h"

#include <doctest/doctest.h>
#include <set>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

Field field(std::string_view name, std::string_view value) { return {name, value, field_id(name)}; }

std::string forwarded(const std::vector<Field>& fields, const ClientFacts& client, std::string_view target = "/a?b",
                      std::string_view connection = {}) {
  RequestHead head;
  head.method = Method::Get;
  head.method_text = "GET";
  head.target = target;
  head.host = "h.example";
  head.fields = fields;
  head.connection = connection;
  std::string out = "what was here before";
  write_request_head(out, head, client, {});
  return out;
}

bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != head.npos;
}

constexpr ClientFacts kStranger{.peer = "1.2.3.4", .client = "1.2.3.4", .is_trusted = false, .request_id = "made"};
constexpr ClientFacts kTrusted{.peer = "10.0.0.1", .client = "10.0.0.1", .is_trusted = true, .request_id = "made"};

}  // namespace

TEST_CASE("a request head is written afresh with one Host and no empty line yet") {
  const std::string out = forwarded({field("Host", "h.example"), field("X-A", "1")}, kStranger);
  CHECK(out.starts_with("GET /a?b HTTP/1.1\r\nHost: h.example\r\n"));
  CHECK(has_line(out, "X-A: 1"));
  CHECK(out.ends_with("\r\n"));
  CHECK(out.find("\r\n\r\n") == out.npos);
  CHECK(out.find("Host:") == out.rfind("Host:", out.find("X-Forwarded-Host") - 1));
}

TEST_CASE("hop-by-hop fields and those that Connection names do not go on") {
  const std::string out =
      forwarded({field("Connection", "X-Mine, Host"), field("X-Mine", "1"), field("Keep-Alive", "5"), field("TE", "x"),
                 field("Upgrade", "h2c"), field("Proxy-Connection", "x"), field("Trailer", "x"), field("X-Other", "1")},
                kStranger, "/", "X-Mine, Host");
  for (const char* gone : {"Connection", "X-Mine", "Keep-Alive", "TE:", "Upgrade", "Trailer"}) {
    CHECK_MESSAGE(out.find(gone) == out.npos, gone);
  }
  CHECK(has_line(out, "X-Other: 1"));
  CHECK(has_line(out, "Host: h.example"));
}

TEST_CASE("a stranger does not say where it comes from, a trusted proxy does") {
  const std::vector<Field> fields{field("X-Forwarded-For", "6.6.6.6"), field("X-Forwarded-Proto", "https"),
                                  field("X-Forwarded-Host", "evil"), field("X-Request-ID", "theirs")};
  const std::string stranger = forwarded(fields, kStranger);
  CHECK(has_line(stranger, "X-Forwarded-For: 1.2.3.4"));
  CHECK(has_line(stranger, "X-Forwarded-Proto: http"));
  CHECK(has_line(stranger, "X-Forwarded-Host: h.example"));
  CHECK(has_line(stranger, "X-Request-ID: made"));
  const std::string trusted = forwarded(fields, kTrusted);
  CHECK(has_line(trusted, "X-Forwarded-For: 6.6.6.6, 10.0.0.1"));
  CHECK(has_line(trusted, "X-Forwarded-Proto: https"));
  CHECK(has_line(trusted, "X-Forwarded-Host: evil"));
  CHECK(has_line(trusted, "X-Request-ID: theirs"));
}

TEST_CASE("Connection takes away neither who asks nor the key that a retry rests on") {
  constexpr std::string_view kNames =
      "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Request-ID, Idempotency-Key";
  const std::vector<Field> fields{field("X-Forwarded-For", "6.6.6.6"), field("X-Forwarded-Proto", "https"),
                                  field("X-Forwarded-Host", "a"),      field("X-Request-ID", "theirs"),
                                  field("Idempotency-Key", "k"),       field("Connection", kNames)};
  const std::string trusted = forwarded(fields, kTrusted, "/", kNames);
  for (const char* kept : {"X-Forwarded-For: 6.6.6.6, 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: a",
                           "X-Request-ID: theirs", "Idempotency-Key: k"}) {
    CHECK_MESSAGE(has_line(trusted, kept), kept);
  }
  const std::string stranger = forwarded(fields, kStranger, "/", kNames);
  for (const char* kept :
       {"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: http", "X-Request-ID: made", "Idempotency-Key: k"}) {
    CHECK_MESSAGE(has_line(stranger, kept), kept);
  }
}

TEST_CASE("the authority of an absolute-form target is the Host") {
  CHECK(has_line(forwarded({field("Host", "other")}, kStranger, "http://real.example:81/x"), "Host: real.example:81"));
}

TEST_CASE("a response head goes on without framing, hop-by-hop fields and our own signals") {
  const std::vector<Field> fields{field("Content-Length", "5"), field("Lb-Drain", "1"), field("Connection", "close"),
                                  field("Transfer-Encoding", "chunked"), field("ETag", "x")};
  ResponseHead head;
  head.status = 200;
  head.reason = "Fine";
  head.fields = fields;
  std::string out;
  write_interim_head(out, head);
  CHECK(out == "HTTP/1.1 200 Fine\r\nETag: x\r\n\r\n");
  out = "HTTP/1.1 200 Fine\r\n";
  finish_response_head(out, {.framing = Framing::Length, .content_length = 5, .closes = true});
  CHECK(out == "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
}

TEST_CASE("Via names this hop, behind those before it") {
  const std::string out = forwarded({field("Via", "1.0 fred")}, kStranger);
  CHECK(has_line(out, "Via: 1.1 lb"));
  CHECK(out.find("Via: 1.0 fred") < out.find("Via: 1.1 lb"));
}

TEST_CASE("a trusted client's chain of addresses is kept in order, IPv6 too") {
  const ClientFacts v6{.peer = "2001:db8::1", .client = "2001:db8::1", .is_trusted = true, .request_id = "made"};
  const std::vector<Field> chain{field("X-Forwarded-For", "6.6.6.6, ::1"), field("X-Forwarded-For", "7.7.7.7")};
  const std::string out = forwarded(chain, v6);
  CHECK(has_line(out, "X-Forwarded-For: 6.6.6.6, ::1"));
  CHECK(has_line(out, "X-Forwarded-For: 7.7.7.7, 2001:db8::1"));
}

TEST_CASE("a response gets the date and the request's id where its server says none") {
  DateField date;
  const ResponseAdditions added{date, "id-1"};
  ResponseHead head;
  head.status = 200;
  std::string out;
  begin_response_head(out, head, added);
  CHECK(out.find("\r\nDate: ") != out.npos);
  CHECK(has_line(out, "X-Request-ID: id-1"));
  const std::vector<Field> fields{field("date", "then"), field("X-Request-ID", "theirs")};
  head.fields = fields;
  begin_response_head(out, head, added);
  CHECK(out == "HTTP/1.1 200 \r\ndate: then\r\nX-Request-ID: theirs\r\n");
}

TEST_CASE("Upgrade goes on with a 426, whose word it is, and with no other response") {
  DateField date;
  const std::vector<Field> fields{field("Upgrade", "websocket"), field("Connection", "Upgrade, X-A"),
                                  field("X-A", "1")};
  ResponseHead head;
  head.fields = fields;
  head.connection = fields[1].value;
  for (const int status : {200, 400, 425, 426, 427}) {
    head.status = status;
    std::string out;
    begin_response_head(out, head, {date, "id"});
    CHECK(has_line(out, "Upgrade: websocket") == (status == 426));
    CHECK(has_line(out, "Connection: Upgrade") == (status == 426));
    CHECK(out.find("X-A") == out.npos);
  }
}

TEST_CASE("rules drop, set and add fields of a request, lb's own among them") {
  FieldRules rules(FieldRules::Side::Request);
  REQUIRE_FALSE(rules.remove("cookie"));
  REQUIRE_FALSE(rules.remove("X-Forwarded-For"));
  REQUIRE_FALSE(rules.set("X-Forwarded-Proto", "https"));
  REQUIRE_FALSE(rules.set("Host", "inside.example"));
  REQUIRE_FALSE(rules.add("Via", "1.1 edge"));
  const std::vector<Field> fields{field("Host", "a"), field("Cookie", "c=1"), field("COOKIE", "d=2"),
                                  field("X-Own", "1")};
  RequestHead head;
  head.method_text = "GET";
  head.target = "/";
  head.host = "a";
  head.fields = fields;
  std::string out;
  write_request_head(out, head, kStranger, {.upgrade = {}, .rules = &rules});
  CHECK(out.find("ookie") == out.npos);
  CHECK(out.find("COOKIE") == out.npos);
  CHECK(out.find("X-Forwarded-For") == out.npos);
  CHECK(out.find("X-Forwarded-Proto: http\r\n") == out.npos);
  CHECK(has_line(out, "X-Forwarded-Proto: https"));
  CHECK(has_line(out, "X-Forwarded-Host: a"));
  CHECK(has_line(out, "Host: inside.example"));
  CHECK(has_line(out, "X-Own: 1"));
  CHECK(out.find("Via: 1.1 lb\r\n") < out.find("Via: 1.1 edge\r\n"));
}

TEST_CASE("rules drop, set and add fields of a response; interim ones lose theirs, and trailers") {
  FieldRules rules(FieldRules::Side::Response);
  REQUIRE_FALSE(rules.remove("X-Powered-By"));
  REQUIRE_FALSE(rules.set("Server", "holdfast"));
  REQUIRE_FALSE(rules.add("Vary", "Origin"));
  const std::vector<Field> fields{field("server", "nginx"), field("x-powered-by", "PHP"), field("Vary", "Accept")};
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.fields = fields;
  std::string out;
  DateField date;
  begin_response_head(out, head, {.date = date, .request_id = "id", .rules = &rules});
  CHECK(out.find("nginx") == out.npos);
  CHECK(out.find("PHP") == out.npos);
  CHECK(has_line(out, "Server: holdfast"));
  CHECK(out.find("Vary: Accept\r\n") < out.find("Vary: Origin\r\n"));
  write_interim_head(out, head, &rules);
  CHECK(out == "HTTP/1.1 200 OK\r\nVary: Accept\r\n\r\n");
  write_upgrade_head(out, head, "websocket", &rules);
  CHECK(has_line(out, "Server: holdfast"));
  CHECK(out.ends_with("Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"));
  out.clear();
  write_trailers(out, fields, rules);
  CHECK(out == "Vary: Accept\r\n");
}

TEST_CASE("request ids are 32 hexadecimal digits and do not repeat") {
  RequestIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id(ids.next());
    CHECK(id.size() == 32);
    CHECK(id.find_first_not_of("0123456789abcdef") == id.npos);
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("only a trusted proxy says whom it serves, and names with underscores go on by a rule alone") {
  const std::vector<std::string> family{"Forwarded",          "X-Real-IP",          "X-Forwarded-Port",
                                        "X-Forwarded-Prefix", "X-Forwarded-Ssl",    "X-Forwarded-Server",
                                        "x-forwarded-user",   "X-FORWARDED-SCHEME", "X-Forwarded-What",
                                        "x-forwarded",        "x-real-ip"};
  const std::vector<std::string> underscores{"X_Forwarded_For", "X_Real_IP", "x-forwarded_proto", "X_Request_ID"};
  std::vector<Field> fields{field("Connection_", "1"), field("X-Real", "1"), field("Forwarded-By", "1"),
                            field("X-Forward", "1")};
  for (const std::string& name : family) fields.push_back(field(name, "evil"));
  for (const std::string& name : underscores) fields.push_back(field(name, "evil"));
  RequestHead head;
  head.method_text = "GET";
  head.target = "/";
  head.fields = fields;
  FieldRules rules(FieldRules::Side::Request);
  for (const bool passes_underscores : {false, true}) {
    rules.passes_underscores = passes_underscores;
    std::string stranger;
    write_request_head(stranger, head, kStranger, {.upgrade = {}, .rules = &rules});
    CHECK(stranger.find("evil") == stranger.npos);
    std::string trusted;
    write_request_head(trusted, head, kTrusted, {.upgrade = {}, .rules = &rules});
    for (const std::string& name : family) CHECK_MESSAGE(has_line(trusted, name + ": evil"), name);
    for (const std::string& name : underscores) CHECK(has_line(trusted, name + ": evil") == passes_underscores);
    for (const std::string& out : {stranger, trusted}) {
      CHECK(has_line(out, "X-Real: 1"));
      CHECK(has_line(out, "Forwarded-By: 1"));
      CHECK(has_line(out, "X-Forward: 1"));
      CHECK(has_line(out, "Connection_: 1") == passes_underscores);
    }
  }
  std::string trailers;
  rules.passes_underscores = false;
  write_trailers(trailers, std::vector<Field>{field("X_Real_IP", "evil"), field("X-Sum", "1")}, rules);
  CHECK(trailers == "X-Sum: 1\r\n");
  trailers.clear();
  write_trailers(trailers, std::vector<Field>{field("X_Sum", "1")}, FieldRules(FieldRules::Side::Response));
  CHECK(trailers == "X_Sum: 1\r\n");
}

TEST_CASE("Host is left to the server if the client gives none") {
  RequestHead head;
  head.method_text = "GET";
  head.target = "/";
  std::string out;
  CHECK_FALSE(write_request_head(out, head, kStranger, {}));
  CHECK(out.find("Host:") == out.npos);
  FieldRules rules(FieldRules::Side::Request);
  REQUIRE_FALSE(rules.set("Host", "rule.example"));
  CHECK(write_request_head(out, head, kStranger, {.upgrade = {}, .rules = &rules}));
  CHECK(has_line(out, "Host: rule.example"));
  head.target = "http://h.example/";
  CHECK(write_request_head(out, head, kStranger, {}));
  CHECK(has_line(out, "Host: h.example"));
}
