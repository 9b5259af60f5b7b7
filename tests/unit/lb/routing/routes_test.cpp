#include "lb/routing/routes.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace holdfast::lb;

namespace {

constexpr std::size_t kNone = 99;

std::size_t found(const RouteTable& table, std::string_view host, std::string_view path) {
  return table.find(host, path).value_or(kNone);
}

}  // namespace

TEST_CASE("a path takes itself and what stands below it, at a slash") {
  const RouteTable table(std::vector<Route>{{"*", "/api", 1}});
  for (const char* path : {"/api", "/api/", "/api/x", "/api/x/y", "/%61pi/x", "/ap%69"}) {
    CAPTURE(path);
    CHECK(found(table, "h", path) == 1);
  }
  for (const char* path : {"/", "", "/apix", "/ap", "/API", "/x/api", "/api%2Fx", "/%2561pi"}) {
    CAPTURE(path);
    CHECK(found(table, "h", path) == kNone);
  }
}

TEST_CASE("a path that ends in /* matches the paths below it, as in a Caddyfile") {
  const RouteTable table(std::vector<Route>{{"*", "/api/*", 1}, {"*", "/both", 2}, {"*", "/both/*", 3}});
  for (const char* path : {"/api/", "/api/x", "/api/x/y", "/%61pi/x"}) {
    CAPTURE(path);
    CHECK(found(table, "h", path) == 1);
  }
  for (const char* path : {"/", "", "/api", "/apix", "/x/api/"}) {
    CAPTURE(path);
    CHECK(found(table, "h", path) == kNone);
  }
  CHECK(found(table, "h", "/both") == 2);
  CHECK(found(table, "h", "/both/") == 3);
  CHECK(found(table, "h", "/both/x") == 3);
}

TEST_CASE("/* is another spelling of /") {
  const RouteTable table(std::vector<Route>{{"*", "/*", 1}});
  CHECK_FALSE(table.has_paths());
  for (const char* path : {"", "/", "/x"}) CHECK(found(table, "h", path) == 1);
}

TEST_CASE("the longest path wins, whatever the order of the routes") {
  const std::vector<Route> routes{{"*", "/", 0}, {"*", "/a", 1}, {"*", "/a/b/c", 3}, {"*", "/a/b/", 2}};
  for (const std::vector<Route>& order : {routes, std::vector<Route>(routes.rbegin(), routes.rend())}) {
    const RouteTable table(order);
    CHECK(found(table, "h", "") == 0);
    CHECK(found(table, "h", "/") == 0);
    CHECK(found(table, "h", "/x") == 0);
    CHECK(found(table, "h", "/a") == 1);
    CHECK(found(table, "h", "/a/x") == 1);
    CHECK(found(table, "h", "/a/b") == 2);
    CHECK(found(table, "h", "/a/b/c/d") == 3);
  }
}

TEST_CASE("the closest host wins over the longest path; a host without a fitting path leaves it to the next") {
  const RouteTable table(std::vector<Route>{{"*", "/long/path", 0},
                                            {"*.example.com", "/", 1},
                                            {"*.b.example.com", "/", 2},
                                            {"www.example.com", "/shop", 3},
                                            {"[::1]", "/", 4}});
  CHECK(found(table, "x.example.com", "/long/path") == 1);
  CHECK(found(table, "X.Example.COM", "/") == 1);
  CHECK(found(table, "a.b.example.com", "/") == 2);
  CHECK(found(table, "b.example.com", "/") == 1);
  CHECK(found(table, "www.example.com", "/shop/1") == 3);
  CHECK(found(table, "WWW.example.com", "/shop") == 3);
  CHECK(found(table, "www.example.com", "/") == 1);
  CHECK(found(table, "[::1]", "/") == 4);
  CHECK(found(table, "other", "/long/path/x") == 0);
  for (const char* host : {"example.com", ".example.com", "xexample.com", "other", ""}) {
    CAPTURE(host);
    CHECK(found(table, host, "/") == kNone);
  }
}

TEST_CASE("many hosts are told apart") {
  std::vector<Route> routes;
  for (std::size_t i = 0; i < 50; ++i) routes.push_back({"Host" + std::to_string(i) + ".example", "/", i});
  const RouteTable table(routes);
  for (std::size_t i = 0; i < 50; ++i) CHECK(found(table, "hOST" + std::to_string(i) + ".example", "/x") == i);
  CHECK(found(table, "host50.example", "/x") == kNone);
}

TEST_CASE("only routes by path make paths matter") {
  CHECK_FALSE(RouteTable(std::vector<Route>{{"a", "/", 0}, {"*", "/", 1}}).has_paths());
  CHECK(RouteTable(std::vector<Route>{{"*", "/", 0}, {"a", "/x", 1}}).has_paths());
}
