#include "lb/routing/target.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

RequestPlace place(std::string_view target, std::string_view host = "h.example:81") {
  RequestHead head;
  head.host = host;
  head.target = target;
  return place_of(head);
}

}  // namespace

TEST_CASE("a request's place is told by every form of target") {
  CHECK(place("/a/b?c=/d").path == "/a/b");
  CHECK(place("/a").authority == "h.example:81");
  CHECK(place("http://other.example/x?y").authority == "other.example");
  CHECK(place("http://other.example/x?y").path == "/x");
  CHECK(place("http://other.example?y").authority == "other.example");
  CHECK(place("http://other.example?y").path.empty());
  CHECK(place("*").path.empty());
  CHECK(place("*").authority == "h.example:81");
}

TEST_CASE("a host is what stands before the port, without the last dot") {
  CHECK(host_of("a.example") == "a.example");
  CHECK(host_of("a.example:8080") == "a.example");
  CHECK(host_of("a.example.:8080") == "a.example");
  CHECK(host_of("[::1]") == "[::1]");
  CHECK(host_of("[::1]:80") == "[::1]");
  CHECK(host_of("") == "");
}

TEST_CASE("dot segments are found however they are written") {
  for (const char* path : {"/..", "/a/../b", "/.", "/./a", "/a/.", "/%2e%2E/a", "/.%2e", "/a/%2e", "/..;x/a",
                           "/a\\..\\b", "/x/..%2fadmin", "/x%5c..", "/x%2F.%2e%5Cy", "/.;"}) {
    CAPTURE(path);
    CHECK(has_dot_segment(path));
  }
  for (const char* path : {"", "/", "/...", "/a..b", "/.well-known/x", "/a.", "/..a", "/%252e%252e", "/a;..", "/;.",
                           "//", "/a;b/c", "/%2"}) {
    CAPTURE(path);
    CHECK_FALSE(has_dot_segment(path));
  }
}

TEST_CASE("a path has one normal form") { CHECK(normal_path("/%61%2f%2F%7e%zz%") == "/a%2F%2F~%zz%"); }
