#include "app/links/blocklist.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a host on the list is blocked with all below it, and nobody else is") {
  const auto list =
      Blocklist::parse("# bad ones\nevil.example\n\n  *.Bad.Example.  # and why\r\nb\xC3\xBC\x63her.example", "f");
  REQUIRE(list);
  CHECK(list->size() == 3);
  for (const char* blocked :
       {"evil.example", "a.b.evil.example", "bad.example", "x.bad.example", "xn--bcher-kva.example"}) {
    CAPTURE(blocked);
    CHECK(list->has(blocked));
  }
  for (const char* free : {"notevil.example", "example", "good.example", "evil.example.org", ""}) {
    CAPTURE(free);
    CHECK_FALSE(list->has(free));
  }
  CHECK(list->has_target("HTTPS://A.Evil.Example:8443/x"));
  CHECK(list->has_target("http://b\xC3\xBC\x63her.example/"));
  CHECK_FALSE(list->has_target("https://good.example/?evil.example"));
  CHECK_FALSE(Blocklist().has_target("https://evil.example/"));
}

TEST_CASE("what is no host is told with its line") {
  const auto list = Blocklist::parse("a.example\nhttp://b.example/\n", "hosts.txt");
  REQUIRE_FALSE(list);
  CHECK(list.error().starts_with("hosts.txt:2: "));
  CHECK_FALSE(Blocklist::read("/no/such/file"));
  CHECK(Blocklist::read("")->size() == 0);
}
