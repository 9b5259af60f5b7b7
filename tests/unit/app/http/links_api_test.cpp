#include "app/http/links_api.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::app;

namespace {

std::vector<std::string> pointers(std::string_view body, const std::vector<Origin>& own = {}) {
  const auto parsed = parse_create(body, own);
  std::vector<std::string> all;
  if (!parsed) {
    for (const FieldError& error : parsed.error()) all.push_back(error.pointer);
  }
  return all;
}

}  // namespace

TEST_CASE("a create request needs a longUrl and may have a customSlug") {
  const auto least = parse_create(R"({"longUrl":"https://example.com/"})", {});
  REQUIRE(least);
  CHECK(least->target == "https://example.com/");
  CHECK(least->slug.empty());
  CHECK(parse_create(R"({"longUrl":"https://example.com/","customSlug":null})", {})->slug.empty());
  CHECK(parse_create(R"({"longUrl":"https://example.com/","customSlug":"mine"})", {})->slug == "mine");
}

TEST_CASE("everything that is wrong with a body is told at once") {
  using Pointers = std::vector<std::string>;
  CHECK(pointers("") == Pointers{"#"});
  CHECK(pointers("{") == Pointers{"#"});
  CHECK(pointers("[]") == Pointers{"#"});
  CHECK(pointers("{} x") == Pointers{"#"});
  CHECK(pointers("{\"longUrl\":\"http://a/\xFF\"}") == Pointers{"#"});
  CHECK(pointers("{}") == Pointers{"#/longUrl"});
  CHECK(pointers(R"({"longUrl":7})") == Pointers{"#/longUrl"});
  CHECK(pointers(R"({"longUrl":null,"customSlug":""})") == Pointers{"#/customSlug", "#/longUrl"});
  CHECK(pointers(R"({"longUrl":"ftp://x","customSlug":"api","a/b~":1})") ==
        Pointers{"#/a~1b~0", "#/customSlug", "#/longUrl"});
}

TEST_CASE("many unknown members do not make an endless answer") {
  std::string body = "{";
  for (int i = 0; i < 5'000; ++i) body += "\"m" + std::to_string(i) + "\":1,";
  CHECK(pointers(body + "\"longUrl\":\"http://a/\"}").size() < 50);
}

TEST_CASE("deeply nested JSON is refused without harm") {
  CHECK(pointers(std::string(200'000, '[')) == std::vector<std::string>{"#"});
  CHECK(pointers(std::string(100'000, '[') + std::string(100'000, ']')) == std::vector<std::string>{"#"});
}

TEST_CASE("a link onto the service itself is refused") {
  const std::vector<Origin> own{{.host = "s.example", .port = 443}};
  CHECK(pointers(R"({"longUrl":"https://S.example./abc"})", own).size() == 1);
  CHECK(pointers(R"({"longUrl":"https://s.example:443/abc"})", own).size() == 1);
  CHECK(pointers(R"({"longUrl":"https://s.example:8443/abc"})", own).empty());
  CHECK(pointers(R"({"longUrl":"https://t.example/abc"})", own).empty());
}

TEST_CASE("a fingerprint is of what is meant, not of how it is written") {
  const auto fingerprint = [](std::string_view body) { return parse_create(body, {})->fingerprint; };
  const auto one = fingerprint(R"({"longUrl":"http://a/","customSlug":"x"})");
  CHECK(one == fingerprint(R"( { "customSlug" : "x", "longUrl": "http:\/\/a/" } )"));
  CHECK(one != fingerprint(R"({"longUrl":"http://b/","customSlug":"x"})"));
  CHECK(one.size() == 64);
}

TEST_CASE("an Idempotency-Key is taken with quotes and without, and nothing unfit for a key is") {
  CHECK(parse_idempotency_key("\"abc\"") == "abc");
  CHECK(parse_idempotency_key("abc") == "abc");
  CHECK(parse_idempotency_key(std::string(255, 'x')));
  for (const std::string& bad : {std::string(), std::string("\"\""), std::string("a b"), std::string("\"a\"b\""),
                                 std::string("\xC3\xA4"), std::string(256, 'x')}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_idempotency_key(bad));
  }
}
