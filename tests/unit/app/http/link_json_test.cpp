#include "app/http/link_json.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::app;

namespace {

std::vector<std::string> pointers(std::string_view body, const std::vector<Origin>& own = {}) {
  const auto parsed = parse_link(body, LinkBody::Create, {.bytes_max = 2048, .own_origins = own});
  std::vector<std::string> all;
  if (!parsed) {
    for (const FieldError& error : parsed.error()) all.push_back(error.pointer);
  }
  return all;
}

auto parse_create(std::string_view body) { return parse_link(body, LinkBody::Create, {}); }

}  // namespace

TEST_CASE("a create request needs a longUrl and may have a customSlug") {
  const auto least = parse_create(R"({"longUrl":"https://example.com/"})");
  REQUIRE(least);
  CHECK(least->link.target == "https://example.com/");
  CHECK(least->link.code.empty());
  CHECK(parse_create(R"({"longUrl":"https://example.com/","customSlug":null})")->link.code.empty());
  CHECK(parse_create(R"({"longUrl":"https://example.com/","customSlug":"mine"})")->link.code == "mine");
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
  const auto fingerprint = [](std::string_view body) { return parse_create(body)->fingerprint; };
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

TEST_CASE("what a create says about a link is kept, and what it does not say is as usual") {
  const auto whole = parse_create(R"({"longUrl":"http://a/","title":"T","tags":["x","y","x"],"maxVisits":3,
      "validSince":"2026-01-31T12:00:00+02:00","validUntil":"2026-01-31T10:00:00.001Z","enabled":false,
      "forwardQuery":false,"crawlable":true,"redirectStatus":301,"shortCodeLength":9,"findIfExists":true})");
  REQUIRE(whole);
  CHECK(whole->link.title == "T");
  CHECK(whole->link.tags == std::vector<std::string>{"x", "y"});
  CHECK(whole->link.valid_since == "2026-01-31T10:00:00.000Z");
  CHECK(whole->link.max_visits == 3);
  CHECK(whole->code_length == 9);
  CHECK(whole->finds_existing);
  const LinkRules rules = whole->link.rules();
  CHECK(rules.status == 301);
  CHECK_FALSE(rules.is_enabled);
  CHECK_FALSE(rules.forwards_query);
  CHECK(rules.is_crawlable);
  CHECK(rules.is_counted);
  CHECK(parse_create(R"({"longUrl":"http://a/"})")->link.rules() == LinkRules{});
}

TEST_CASE("each wrong member is named") {
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {R"("title":5)", "#/title"},
           {R"("title":"a\nb")", "#/title"},
           {R"("tags":"x")", "#/tags"},
           {R"("tags":["a",""])", "#/tags/1"},
           {R"("validSince":"tomorrow")", "#/validSince"},
           {R"("validUntil":"2026-02-30T00:00:00Z")", "#/validUntil"},
           {R"("validSince":"2026-01-02T00:00:00Z","validUntil":"2026-01-01T00:00:00Z")", "#/validUntil"},
           {R"("maxVisits":0)", "#/maxVisits"},
           {R"("maxVisits":1.5)", "#/maxVisits"},
           {R"("enabled":1)", "#/enabled"},
           {R"("redirectStatus":303)", "#/redirectStatus"},
           {R"("shortCodeLength":4)", "#/shortCodeLength"},
           {R"("findIfExists":"yes")", "#/findIfExists"}}) {
    const auto& member = row.first;  // by name: clang 14 captures no structured binding
    const auto& pointer = row.second;
    CAPTURE(member);
    CHECK(pointers(R"({"longUrl":"http://a/",)" + member + "}") == std::vector<std::string>{pointer});
  }
}

TEST_CASE("a change names only what it changes, and null empties") {
  const auto change = parse_link(R"({"title":null,"validUntil":null,"maxVisits":5})", LinkBody::Change, {});
  REQUIRE(change);
  CHECK(change->columns == R"({"max_visits":5,"title":null,"valid_until":null})");
  CHECK_FALSE(parse_link(R"({"customSlug":"x"})", LinkBody::Change, {}));
  CHECK_FALSE(parse_link(R"({"enabled":null})", LinkBody::Change, {}));
  CHECK(parse_link("{}", LinkBody::Change, {})->columns == "{}");
}

TEST_CASE("of many links each is judged for itself, one after the other") {
  auto many = ManyReader::open(R"({"links":[{"longUrl":"http://a/"},{"longUrl":"ftp://b"},7]})");
  REQUIRE(many);
  CHECK(many->next({})->link.target == "http://a/");
  CHECK(many->next({}).error().front().pointer == "#/longUrl");
  CHECK(many->has_next());
  CHECK(many->next({}).error().front().pointer == "#");
  CHECK_FALSE(many->has_next());
}

TEST_CASE("a body of many links is refused whole where it is none, and where they are none or too many") {
  CHECK_FALSE(ManyReader::open(R"({"links":[]})"));
  CHECK_FALSE(ManyReader::open(R"({"links":{}})"));
  CHECK_FALSE(ManyReader::open(R"({"links":[1],"more":1})"));
  CHECK_FALSE(ManyReader::open("{}"));
  std::string body = R"({"links":[1)";
  for (std::size_t i = 1; i < ManyReader::kLinksMax; ++i) body += ",1";
  CHECK(ManyReader::open(body + "]}"));
  CHECK_FALSE(ManyReader::open(body + ",1]}"));
}

TEST_CASE("many links have one fingerprint, which neither the order of members nor blanks change") {
  const auto fingerprint = [](std::string_view body) { return ManyReader::open(body)->fingerprint(); };
  const std::string one = fingerprint(R"({"links":[{"longUrl":"http://a/","title":"x"}]})");
  CHECK(fingerprint(R"({"links": [ {"title":"x", "longUrl":"http://a/"} ]})") == one);
  CHECK(fingerprint(R"({"links":[{"longUrl":"http://b/","title":"x"}]})") != one);
}

TEST_CASE("an entity tag is the version, and only ours match") {
  StoredLink link;
  link.version = 7;
  CHECK(etag_of(link) == "\"v7\"");
  CHECK(version_of_etag("\"v7\"") == "7");
  CHECK(version_of_etag("*") == "");
  for (const char* other : {"v7", "\"7\"", "W/\"v7\"", "\"v\"", "\"v7a\"", "\"v9999999999999999999\""}) {
    CHECK_FALSE(version_of_etag(other));
  }
}
