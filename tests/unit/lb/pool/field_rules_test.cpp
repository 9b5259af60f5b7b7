#include "lb/pool/field_rules.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::lb;
using Side = FieldRules::Side;

TEST_CASE("a rule that could change what a message is, or break out of its line, is none") {
  for (const Side side : {Side::Request, Side::Response}) {
    FieldRules rules(side);
    for (const char* name : {"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "Proxy-Connection",
                             "TE", "Trailer", "Upgrade", "Expect", "Idempotency-Key", "Lb-Drain", "", "X Y",
                             "X:", "X\r\nY", "Ü", "-Server", "+Server", "X-*"}) {
      CAPTURE(name);
      CHECK(rules.set(name, "1").has_value());
      CHECK(rules.add(name, "1").has_value());
      CHECK(rules.remove(name).has_value());
    }
    for (const char* value : {"a\r\nX-Y: b", "a\nb", "a\rb", " a", "a ", "\t", "\x01", "\x7f"}) {
      CAPTURE(value);
      CHECK(rules.set("X-Own", value).has_value());
      CHECK(rules.add("X-Own", value).has_value());
    }
    CHECK(rules.add("X-Own", std::string("a\0b", 3)).has_value());
    CHECK(rules.add("X-Own", std::string(5000, 'a')).has_value());
    CHECK(rules.lines().empty());
    CHECK_FALSE(rules.drops("Connection"));
  }
}

TEST_CASE("Host may be set of a request, to a host, and nothing else") {
  FieldRules request(Side::Request);
  CHECK(request.remove("Host").has_value());
  CHECK(request.add("Host", "a.example").has_value());
  CHECK(request.set("Host", "a b").has_value());
  CHECK(request.set("Host", "").has_value());
  CHECK_FALSE(request.set("host", "a.example:80").has_value());
  CHECK(request.host() == "a.example:80");
  CHECK(request.lines().empty());
  CHECK(FieldRules(Side::Response).set("Host", "a.example").has_value());
}

TEST_CASE("a field is set once, in whatever case, and added as often as one likes") {
  FieldRules rules(Side::Response);
  CHECK_FALSE(rules.set("Server", "a").has_value());
  CHECK(rules.set("SERVER", "b").has_value());
  CHECK_FALSE(rules.add("Link", "a").has_value());
  CHECK_FALSE(rules.add("Link", "").has_value());
  CHECK(rules.lines() == "Server: a\r\nLink: a\r\nLink: \r\n");
  CHECK(rules.drops("sErVeR"));
  CHECK_FALSE(rules.drops("Link"));
}

TEST_CASE("rules are bounded in number") {
  FieldRules rules(Side::Response);
  for (int i = 0; i < 64; ++i) REQUIRE_FALSE(rules.add("X", "1").has_value());
  CHECK(rules.add("X", "1").has_value());
}
