#include "common/http/forwarded_client.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

std::string client(const std::vector<std::string_view>& chain) {
  const std::vector<Network> proxies{Network::parse("10.0.0.0/8").value(), Network::parse("2001:db8:1::/48").value()};
  std::vector<Field> fields;
  for (const std::string_view value : chain) fields.push_back({"X-Forwarded-For", value, FieldId::XForwardedFor});
  RequestHead head;
  head.fields = fields;
  const auto found = forwarded_client(head, proxies);
  return found ? found->host() : "none";
}

}  // namespace

TEST_CASE("the client is the last address that is no trusted proxy's") {
  CHECK(client({}) == "none");
  CHECK(client({"203.0.113.9"}) == "203.0.113.9");
  CHECK(client({"6.6.6.6, 203.0.113.9, 10.1.1.1,10.2.2.2"}) == "203.0.113.9");
  CHECK(client({"6.6.6.6, 203.0.113.9", "10.1.1.1", "", "2001:db8:1::7 , 10.2.2.2"}) == "203.0.113.9");
  CHECK(client({"6.6.6.6", "203.0.113.9"}) == "203.0.113.9");
  CHECK(client({"10.1.1.1, 10.2.2.2"}) == "10.1.1.1");
}

TEST_CASE("a client's address has one form, whatever a proxy wrote") {
  CHECK(client({"203.0.113.9:1234, 10.0.0.1:5"}) == "203.0.113.9");
  CHECK(client({"::ffff:203.0.113.9, ::ffff:10.0.0.1"}) == "203.0.113.9");
  CHECK(client({"2001:DB8:0:0::7"}) == "2001:db8::7");
  CHECK(client({"[2001:db8::7]"}) == "2001:db8::7");
  CHECK(client({"[2001:db8::7]:443"}) == "2001:db8::7");
}

TEST_CASE("an entry that is no address ends the search") {
  CHECK(client({"203.0.113.9, unknown, 10.1.1.1"}) == "10.1.1.1");
  for (const char* entry : {"unknown", "_hidden", "a.example", "1.2.3.4:x", "1.2.3.4:70000", ":80", "[::1", "::1]:80",
                            "1.2.3.4\"", ",", " ", "1.2.3.4 5", "\"[2001:db8::7]\""}) {
    CHECK_MESSAGE(client({"6.6.6.6", entry}) == "none", entry);
  }
}
