#include "app/links/rules.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("rules travel with their target, and the usual ones take no room") {
  CHECK(packed({}, "https://a/") == "https://a/");
  CHECK(unpacked("https://a/")->rules == LinkRules{});
  LinkRules rules;
  rules.status = 308;
  rules.is_enabled = false;
  rules.forwards_query = false;
  rules.is_crawlable = true;
  rules.is_counted = true;
  rules.valid_since_ms = 5;
  rules.valid_until_ms = 1'767'225'600'000;
  const std::string value = packed(rules, "https://a/?b;c");
  CHECK(value == "=308xqrm;5;1767225600000 https://a/?b;c");
  CHECK(unpacked(value)->rules == rules);
  CHECK(unpacked(value)->target == "https://a/?b;c");
}

TEST_CASE("what was not packed by us is not taken for a link") {
  for (const char* bad : {"=", "=302", "=302;0;0", "=302;0 http://a/", "=303;0;0 http://a/", "=302z;0;0 http://a/",
                          "=302;x;0 http://a/", "=30;0;0 http://a/", "=302;;0 http://a/"}) {
    CAPTURE(bad);
    CHECK_FALSE(unpacked(bad));
  }
}

TEST_CASE("a link is valid from its first to before its last moment, while it is switched on") {
  using Time = std::chrono::system_clock::time_point;
  const auto at = [](int ms) { return Time(std::chrono::milliseconds(ms)); };
  LinkRules rules;
  CHECK(validity_of(rules, at(0)) == Validity::Valid);
  rules.valid_since_ms = 100;
  rules.valid_until_ms = 200;
  CHECK(validity_of(rules, at(99)) == Validity::TooEarly);
  CHECK(validity_of(rules, at(100)) == Validity::Valid);
  CHECK(validity_of(rules, at(199)) == Validity::Valid);
  CHECK(validity_of(rules, at(200)) == Validity::Expired);
  rules.is_enabled = false;
  CHECK(validity_of(rules, at(150)) == Validity::Disabled);
}

TEST_CASE("a visitor's query goes on, and the target's own words win") {
  CHECK(with_query("http://a/", "x=1") == "http://a/?x=1");
  CHECK(with_query("http://a/?y=2", "x=1&y=9&z") == "http://a/?y=2&x=1&z");
  CHECK(with_query("http://a/?", "x=1") == "http://a/?x=1");
  CHECK(with_query("http://a/?y=2&", "x=1") == "http://a/?y=2&x=1");
  CHECK(with_query("http://a/p#f", "x=1") == "http://a/p?x=1#f");
  CHECK(with_query("http://a/?y=2", "y=3") == "http://a/?y=2");
  CHECK(with_query("http://a/", "&&") == "http://a/");
  CHECK(with_query("http://a/", "x=\r\n#\\\xFF") == "http://a/?x=%0D%0A%23%5C%FF");
  CHECK(with_query("http://a/", std::string(10'000, 'x')) == "http://a/");
}
