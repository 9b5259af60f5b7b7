#include "app/links/host.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a host has one form, however it is written") {
  struct Row {
    const char* given;
    const char* normal;
  };
  for (const Row& row : {
           Row{"example.com", "example.com"},
           Row{"EXAMPLE.Com.", "example.com"},
           Row{"a_b.example", "a_b.example"},
           Row{"b\xC3\xBC\x63her.example", "xn--bcher-kva.example"},
           Row{"B\xC3\x9C\x43HER.example", "xn--bcher-kva.example"},
           Row{"bu\xCC\x88\x63her.example", "xn--bcher-kva.example"},  // not composed
           Row{"stra\xC3\x9F\x65.example", "xn--strae-oqa.example"},   // as IDNA 2008 has it
           Row{"a\xE3\x80\x82\x62.example", "a.b.example"},            // a wide dot
           Row{"xn--bcher-kva.example", "xn--bcher-kva.example"},
           Row{"127.0.0.1", "127.0.0.1"},
           Row{"0x7f.1", "127.0.0.1"},
           Row{"2130706433", "127.0.0.1"},
           Row{"0177.0.0.1", "127.0.0.1"},
           Row{"\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1", "127.0.0.1"},  // wide digits
           Row{"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"},
           Row{"[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]"},
       }) {
    CAPTURE(row.given);
    const auto normal = normal_host(row.given);
    REQUIRE(normal);
    CHECK(*normal == row.normal);
  }
}

TEST_CASE("what is no host is refused with a reason") {
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string("a..b"),
                                 std::string(".a"),
                                 std::string("a b"),
                                 std::string("a/b"),
                                 std::string("a@b"),
                                 std::string("a%2eb"),
                                 std::string("256.256.256.256"),
                                 std::string("1.2.3.4.5"),
                                 std::string("0x7g.1.2.0x"),
                                 std::string("example.99999999999"),
                                 std::string("[::1"),
                                 std::string("[::zz]"),
                                 std::string("[]"),
                                 std::string("xn--a-ecp.ru\xFF"),
                                 std::string("xn--\x7F"),
                                 std::string("a\xE2\x80\xA8\x62"),
                                 std::string("a\xEF\xBC\x8F\x62.example"),  // a wide slash
                                 std::string(254, 'a'),
                                 std::string("a\0b", 3),
                                 std::string("\xFF\xFE")}) {
    CAPTURE(bad);
    const auto normal = normal_host(bad);
    REQUIRE_FALSE(normal);
    CHECK_FALSE(normal.error().empty());
  }
}
