#include "lb/balance/hash_key.h"

#include <doctest/doctest.h>
#include <bitset>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

struct Request {
  explicit Request(std::string_view target, std::vector<Field> its_fields = {}) : fields(std::move(its_fields)) {
    head.target = target;
    for (Field& field : fields) field.id = field_id(field.name);
    head.fields = fields;
  }
  std::vector<Field> fields;
  RequestHead head;
};

std::optional<std::uint64_t> key(HashSource source, const Request& request, std::string_view name = "",
                                 std::string_view client = "10.0.0.1") {
  return hash_key({.policy = Policy::Hash, .source = source, .name = std::string(name)}, request.head, client);
}

}  // namespace

TEST_CASE("a path is a key without its query") {
  CHECK(key(HashSource::Path, Request("/a?b=1")) == key(HashSource::Path, Request("/a?b=2")));
  CHECK(key(HashSource::Path, Request("/a")) == key(HashSource::Path, Request("/a?b=2")));
  CHECK(key(HashSource::Path, Request("/a")) != key(HashSource::Path, Request("/b")));
}

TEST_CASE("a header is found without regard to case, and where it is missing there is no key") {
  const Request request("/", {{"x-user", "7", {}}});
  CHECK(key(HashSource::Header, request, "X-User") == hash_of("7"));
  CHECK_FALSE(key(HashSource::Header, request, "X-Other").has_value());
}

TEST_CASE("a cookie is found by its whole name, wherever it stands") {
  const Request request("/", {{"Cookie", "xsid=1; sid=abc ;sid2=3", {}}, {"Cookie", "late=9", {}}});
  CHECK(key(HashSource::Cookie, request, "sid") == hash_of("abc"));
  CHECK(key(HashSource::Cookie, request, "late") == hash_of("9"));
  CHECK(key(HashSource::Cookie, request, "xsid") == hash_of("1"));
  CHECK_FALSE(key(HashSource::Cookie, request, "id").has_value());
  CHECK(cookie_value("a=", "a") == "");
  CHECK_FALSE(cookie_value("", "a").has_value());
  CHECK_FALSE(cookie_value("a", "a").has_value());
  CHECK_FALSE(cookie_value(";;; ;", "a").has_value());
}

TEST_CASE("hashes the client's address, whatever the request says") {
  CHECK(key(HashSource::ClientIp, Request("/", {{"X-Forwarded-For", "6.6.6.6", {}}})) == hash_of("10.0.0.1"));
}

TEST_CASE("keys that differ little differ much") {
  int least = 64;
  for (char a = '0'; a < '9'; ++a) {
    const std::string one = std::string("10.0.0.") + a;
    const std::string other = std::string("10.0.0.") + static_cast<char>(a + 1);
    least = std::min(least, static_cast<int>(std::bitset<64>(hash_of(one) ^ hash_of(other)).count()));
  }
  CHECK(least >= 16);
}
