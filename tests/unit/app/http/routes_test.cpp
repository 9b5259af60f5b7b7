#include "app/http/routes.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::app;

TEST_CASE("each path leads to its route with its code") {
  struct Row {
    const char* path;
    Route route;
    const char* code;
  };
  for (const Row& row : {Row{"/", Route::Page, ""}, Row{"/abc", Route::Redirect, "abc"},
                         Row{"/%61bc", Route::Redirect, "abc"}, Row{"/health", Route::Health, ""},
                         Row{"/metrics", Route::Metrics, ""}, Row{"/stats/abc", Route::Statistics, "abc"},
                         Row{"/api/v1/links", Route::Create, ""}, Row{"/api/v1/links/a-b", Route::Delete, "a-b"},
                         Row{"/api/v1/links/", Route::Other, ""}, Row{"/stats/", Route::Other, ""},
                         Row{"/a/b", Route::Other, ""}, Row{"/%2f", Route::Other, ""}, Row{"/%zz", Route::Other, ""},
                         Row{"/stats/a/b", Route::Other, ""}, Row{"*", Route::Other, ""}, Row{"", Route::Other, ""}}) {
    CAPTURE(row.path);
    std::string storage;
    const Match found = match(row.path, storage);
    CHECK(found.route == row.route);
    CHECK(found.code == row.code);
  }
}

TEST_CASE("an Allow field names exactly the methods that a route takes") {
  for (std::size_t i = 0; i < kRouteNames.size(); ++i) {
    const auto route = static_cast<Route>(i);
    if (route == Route::Other) continue;
    CAPTURE(kRouteNames[i]);
    for (const Method method : {Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch}) {
      const bool is_named = methods_of(route).find(method_name(method)) != std::string_view::npos;
      CHECK(is_allowed(route, method) == is_named);
    }
  }
}

TEST_CASE("health says pass, warn or fail, and why something is down") {
  Dependency up("primary");
  up.set(true, {});
  Dependency down("redis");
  down.set(false, "connection refused");
  CHECK(health_json({&up}, false).find("\"status\":\"pass\"") != std::string::npos);
  const std::string warn = health_json({&up, &down}, false);
  CHECK(warn.starts_with("{\"status\":\"warn\""));
  CHECK(warn.find("connection refused") != std::string::npos);
  CHECK(health_json({&up}, true).starts_with("{\"status\":\"fail\""));
}
