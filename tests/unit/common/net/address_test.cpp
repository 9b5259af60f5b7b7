#include "common/net/address.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <string>

using namespace holdfast;

namespace {

bool contains(const char* network, const char* address) {
  return Network::parse(network).value().contains(Address::parse_host(address).value());
}

}  // namespace

TEST_CASE("an IPv4-mapped IPv6 address is the IPv4 address") {
  CHECK(Address::parse("[::ffff:127.0.0.1]:80").value() == Address::parse("127.0.0.1:80").value());
  CHECK(Address::parse("[::ffff:7f00:1]:80").value().text() == "127.0.0.1:80");
  CHECK(Address::parse("[::ffff:127.0.0.1]:80").value().is_loopback());
  CHECK(Address::parse_host("::FFFF:192.0.2.1").value().host() == "192.0.2.1");
  CHECK(Address::parse_host("::192.0.2.1").value().host() == "::192.0.2.1");  // deprecated, and not mapped
  sockaddr_in6 peer{};
  peer.sin6_family = AF_INET6;
  peer.sin6_port = htons(4711);
  peer.sin6_addr = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9}}};
  const Address accepted = Address::from(reinterpret_cast<const sockaddr*>(&peer));
  CHECK(accepted.text() == "203.0.113.9:4711");
  CHECK(accepted.raw_bytes() == sizeof(sockaddr_in));
  CHECK(accepted == Address::parse("203.0.113.9:4711").value());
}

TEST_CASE("a block of IPv4-mapped addresses is a block of IPv4") {
  CHECK(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK_FALSE(contains("::ffff:10.0.0.0/104", "11.1.2.3"));
  CHECK(contains("::ffff:10.1.2.3", "10.1.2.3"));
  CHECK(contains("::ffff:0.0.0.0/96", "10.1.2.3"));
  CHECK_FALSE(contains("::/0", "10.1.2.3"));
  CHECK(Network::parse("::ffff:10.0.0.0/104").value().text() == "10.0.0.0/8");
  CHECK_FALSE(Network::parse("::ffff:10.0.0.0/95").has_value());
  CHECK_FALSE(Network::parse("::ffff:10.0.0.0/129").has_value());
  CHECK_FALSE(Network::parse("10.0.0.0/33").has_value());
}

TEST_CASE("a host is an address and nothing else") {
  for (const char* bad : {"", " ", "1.2.3", "1.2.3.4:80", "[::1]", "unknown", "::1%lo", "1.2.3.4 ",
                          "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
    CHECK_MESSAGE(!Address::parse_host(bad), bad);
  }
}
