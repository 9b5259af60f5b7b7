#include "app/http/client_address.h"

#include <doctest/doctest.h>
#include <vector>

using namespace holdfast;
using namespace holdfast::app;

namespace {

std::string client(const char* peer, const std::vector<std::string_view>& forwarded) {
  static const std::vector<Network> kTrusted{Network::parse("127.0.0.0/8").value(),
                                             Network::parse("10.0.0.0/8").value()};
  std::vector<Field> fields;
  for (const std::string_view value : forwarded) {
    fields.push_back({.name = "X-Forwarded-For", .value = value, .id = FieldId::XForwardedFor});
  }
  RequestHead head;
  head.fields = fields;
  const Address address = Address::parse(peer).value();
  return client_of({.head = head, .path = "/", .query = {}, .body = {}, .client = address}, kTrusted).host();
}

}  // namespace

TEST_CASE("the client is the last address that no trusted proxy has") {
  CHECK(client("192.0.2.1:5", {}) == "192.0.2.1");
  CHECK(client("192.0.2.1:5", {"203.0.113.9"}) == "192.0.2.1");  // nobody whom we trust says so
  CHECK(client("127.0.0.1:5", {"203.0.113.9"}) == "203.0.113.9");
  CHECK(client("127.0.0.1:5", {"198.51.100.1, 203.0.113.9"}) == "203.0.113.9");  // the first may be made up
  CHECK(client("127.0.0.1:5", {"203.0.113.9, 10.1.1.1 ,10.2.2.2"}) == "203.0.113.9");
  CHECK(client("127.0.0.1:5", {"198.51.100.1", "203.0.113.9"}) == "203.0.113.9");
  CHECK(client("127.0.0.1:5", {"198.51.100.1", "10.1.1.1"}) == "198.51.100.1");
  CHECK(client("127.0.0.1:5", {"2001:db8::7"}) == "2001:db8::7");
  CHECK(client("127.0.0.1:5", {"[2001:db8::7]:443"}) == "2001:db8::7");
  CHECK(client("127.0.0.1:5", {"203.0.113.9:1234"}) == "203.0.113.9");
}

TEST_CASE("what is no address ends the walk at the last one that is") {
  CHECK(client("127.0.0.1:5", {"203.0.113.9, unknown, 10.1.1.1"}) == "10.1.1.1");
  CHECK(client("127.0.0.1:5", {""}) == "127.0.0.1");
  CHECK(client("127.0.0.1:5", {",,"}) == "127.0.0.1");
}

TEST_CASE("a network is the /24 or the /64 of an address") {
  CHECK(network_of(Address::parse("203.0.113.9:1").value()) == "203.0.113.0/24");
  CHECK(network_of(Address::parse("[2001:db8:1:2:3:4:5:6]:1").value()) == "2001:db8:1:2::/64");
  CHECK(network_of(Address::parse("[::ffff:203.0.113.9]:1").value()) == "203.0.113.0/24");
  CHECK(network_of(Address()) == "unknown");
}
