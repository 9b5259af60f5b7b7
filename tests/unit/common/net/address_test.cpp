#include "common/net/address.h"

#include <doctest/doctest.h>

using namespace holdfast;

TEST_CASE("an IPv4-mapped IPv6 address is the IPv4 address") {
  const Address mapped = Address::parse("[::ffff:192.0.2.7]:80").value();
  CHECK(mapped.text() == "192.0.2.7:80");
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(80);
  raw.sin6_addr.s6_addr[10] = raw.sin6_addr.s6_addr[11] = 0xff;
  raw.sin6_addr.s6_addr[12] = 127;
  raw.sin6_addr.s6_addr[15] = 1;
  const Address from_kernel = Address::from(reinterpret_cast<const sockaddr*>(&raw));
  CHECK(from_kernel.text() == "127.0.0.1:80");
  CHECK(from_kernel.is_loopback());
  CHECK(Network::parse("127.0.0.0/8")->contains(from_kernel));
}
