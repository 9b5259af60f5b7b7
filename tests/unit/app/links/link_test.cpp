#include "app/links/link.h"

#include "app/http/routes.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::app;

TEST_CASE("http and https targets are taken as they are given") {
  for (const std::string target : {"http://example.com", "https://example.com/", "HTTPS://Example.COM:8443/a?b=c#d",
                                   "http://[::1]:80/x", "http://127.0.0.1:9000/", "https://example.com?x",
                                   "http://xn--bcher-kva.example/%C3%A4", "http://a_b.example"}) {
    CAPTURE(target);
    const auto checked = checked_target(target);
    REQUIRE(checked);
    CHECK(*checked == target);
    CHECK(is_safe_target(*checked));
  }
}

TEST_CASE("bytes beyond ASCII are percent-encoded, existing escapes are left") {
  CHECK(checked_target("https://example.com/\xC3\xA4%20?q=\xE2\x82\xAC").value() ==
        "https://example.com/%C3%A4%20?q=%E2%82%AC");
}

TEST_CASE("a host in other letters, and an address oddly written, get the form that everybody reads alike") {
  CHECK(checked_target("http://b\xC3\xBC\x63her.example:81/\xC3\xA4").value() ==
        "http://xn--bcher-kva.example:81/%C3%A4");
  CHECK(checked_target("http://0x7f.1/").value() == "http://127.0.0.1/");
  CHECK(checked_target("http://2130706433:8080?q").value() == "http://127.0.0.1:8080?q");
  CHECK(checked_target("http://Example.com./").value() == "http://Example.com./");
}

TEST_CASE("an address leads back to us whatever clothes it wears") {
  const Origin ours{.host = "127.0.0.1", .port = 8080};
  for (const char* url : {"http://127.0.0.1:8080/", "http://0x7f.1:8080/", "http://[::ffff:127.0.0.1]:8080/",
                          "http://[::ffff:7f00:1]:8080/", "http://017700000001:8080"}) {
    CAPTURE(url);
    CHECK(origin_of(url) == ours);
  }
  CHECK(origin_of("http://[::1]:8080/") != ours);
}

TEST_CASE("a target that is no plain web address is refused with a reason") {
  for (const std::string target : {"",
                                   "example.com",
                                   "//example.com",
                                   "ftp://example.com/",
                                   "javascript:alert(1)",
                                   "data:text/html,x",
                                   "http:/example.com",
                                   "http:example.com",
                                   "http://",
                                   "http:///path",
                                   "http://?q",
                                   "http://:80/",
                                   "http://user@example.com/",
                                   "http://user:pass@example.com/",
                                   "http://example.com:0/",
                                   "http://example.com:65536/",
                                   "http://example.com:8x/",
                                   "http://exa mple.com/",
                                   "http://example.com/a b",
                                   "http://example.com/\r\nSet-Cookie: x",
                                   "http://example.com/\t",
                                   "http://example.com/\x7F",
                                   "http://example.com\\@evil.example/",
                                   "http://[::1",
                                   "http://[zz]/",
                                   "http://[::1]x/",
                                   "http://a..b/",
                                   " http://example.com/"}) {
    CAPTURE(target);
    const auto checked = checked_target(target);
    REQUIRE_FALSE(checked);
    CHECK_FALSE(checked.error().empty());
  }
}

TEST_CASE("a target may have 8 KiB, and not a byte more, encoded or not") {
  const std::string begin = "http://example.com/";
  CHECK(checked_target(begin + std::string(kTargetBytesMax - begin.size(), 'a')));
  CHECK_FALSE(checked_target(begin + std::string(kTargetBytesMax - begin.size() + 1, 'a')));
  CHECK_FALSE(checked_target(begin + std::string(kTargetBytesMax / 2, '\xC3')));
}

TEST_CASE("what must not stand in a Location field is found out whatever store it comes from") {
  for (const std::string& target :
       {std::string("https://a/\r\nX: y"), std::string("https://a/ b"), std::string("ftp://a"), std::string(),
        std::string("https://a/\0b", 12), std::string("https://a/\xC3"), std::string("https://a\\b"),
        "https://a/" + std::string(9000, 'x')}) {
    CAPTURE(target);
    CHECK_FALSE(is_safe_target(target));
  }
}

TEST_CASE("origins are the same whatever the letters' case, the usual port or a dot at the end") {
  const Origin ours{.host = "s.example", .port = 80};
  CHECK(origin_of("http://s.example/abc") == ours);
  CHECK(origin_of("HTTP://S.Example:80") == ours);
  CHECK(origin_of("http://s.example.?q") == ours);
  CHECK(origin_of_host("S.example") == ours);
  CHECK(origin_of("https://s.example/")->port == 443);
  CHECK(origin_of("http://other.example/") != ours);
  CHECK_FALSE(origin_of("mailto:x"));
}

TEST_CASE("a chosen slug has letters, digits, dashes and underscores, 128 at most") {
  for (const std::string slug : {"a", "A-b_9", "null"}) CHECK_FALSE(wrong_with_slug(slug));
  CHECK_FALSE(wrong_with_slug(std::string(128, 'x')));
  for (const std::string& slug : {std::string(), std::string(129, 'x'), std::string("a/b"), std::string("a.b"),
                                  std::string("\xC3\xA4"), std::string("a b"), std::string("%41")}) {
    CAPTURE(slug);
    CHECK(wrong_with_slug(slug));
  }
}

TEST_CASE("no slug may hide a route of ours, in whatever case it is written") {
  for (const std::string_view segment : first_segments()) {
    CAPTURE(segment);
    CHECK(is_reserved(segment));
  }
  for (const char* word : {"api", "API", "Health", "metrics", "robots.txt", ".well-known"}) CHECK(is_reserved(word));
  CHECK_FALSE(is_reserved("healthy"));
}

TEST_CASE("a broken percent-escape is no text") {
  CHECK(percent_decoded("a%41%2fb") == "aA/b");
  for (const char* broken : {"%", "%4", "a%zz", "%4g"}) CHECK_FALSE(percent_decoded(broken));
}
