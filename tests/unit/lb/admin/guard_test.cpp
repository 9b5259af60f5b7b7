#include "lb/admin/guard.h"

#include <doctest/doctest.h>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

/// The status of the refusal, 0 where the change is taken.
int judged(const char* listens, const char* token, std::string_view host, std::vector<Field> fields = {}) {
  RequestHead head;
  head.host = host;
  head.fields = fields;
  const Address client;
  const HttpRequest request{.head = head, .path = "/", .query = {}, .body = {}, .client = client};
  const auto refused = AdminGuard(*Address::parse(listens), token).judge(request);
  return refused ? refused->status : 0;
}

}  // namespace

TEST_CASE("on loopback a change must name loopback") {
  for (const char* host : {"127.0.0.1:9900", "127.0.0.1", "localhost", "localhost:9900", "[::1]:9900", "[::1]"}) {
    CAPTURE(host);
    CHECK(judged("127.0.0.1:9900", "", host) == 0);
  }
  for (const char* host :
       {"evil.example", "evil.example:9900", "10.0.0.1:9900", "127.0.0.1.evil.example", "localhost.evil.example", ""}) {
    CAPTURE(host);
    CHECK(judged("127.0.0.1:9900", "", host) == 403);
  }
}

TEST_CASE("off loopback nothing is changed without the token") {
  const Field right{"Authorization", "Bearer abc", {}};
  const Field wrong{"Authorization", "Bearer abd", {}};
  CHECK(judged("0.0.0.0:9900", "", "lb:9900") == 403);
  CHECK(judged("0.0.0.0:9900", "", "lb:9900", {right}) == 403);
  CHECK(judged("0.0.0.0:9900", "abc", "lb:9900") == 401);
  CHECK(judged("0.0.0.0:9900", "abc", "lb:9900", {wrong}) == 401);
  CHECK(judged("0.0.0.0:9900", "abc", "lb:9900", {right}) == 0);
}

TEST_CASE("a page's origin must be the port itself") {
  CHECK(judged("127.0.0.1:9900", "", "localhost:9900", {{"Origin", "http://localhost:9900", {}}}) == 0);
  CHECK(judged("127.0.0.1:9900", "", "localhost:9900", {{"Origin", "http://evil.example", {}}}) == 403);
  CHECK(judged("127.0.0.1:9900", "", "localhost:9900", {{"Origin", "null", {}}}) == 403);
}
