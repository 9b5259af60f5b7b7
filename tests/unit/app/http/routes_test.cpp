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
  for (const Row& row :
       {Row{"/", Route::Page, ""}, Row{"/abc", Route::Redirect, "abc"}, Row{"/%61bc", Route::Redirect, "abc"},
        Row{"/health", Route::Health, ""}, Row{"/metrics", Route::Metrics, ""},
        Row{"/stats/abc", Route::Statistics, "abc"}, Row{"/api/v1/links", Route::Links, ""},
        Row{"/api/v1/links/bulk", Route::Bulk, ""}, Row{"/api/v1/links/a-b", Route::Link, "a-b"},
        Row{"/api/v1/links/a-b/stats", Route::Statistics, "a-b"}, Row{"/api/v1/links/", Route::Other, ""},
        Row{"/stats/", Route::Other, ""}, Row{"/a/b", Route::Other, ""}, Row{"/%2f", Route::Other, ""},
        Row{"/%zz", Route::Other, ""}, Row{"/stats/a/b", Route::Other, ""}, Row{"*", Route::Other, ""},
        Row{"", Route::Other, ""}}) {
    CAPTURE(row.path);
    std::string storage;
    const Match found = match(row.path, storage);
    CHECK(found.route == row.route);
    CHECK(found.code == row.code);
  }
}

TEST_CASE("an Allow field names exactly the methods that a path takes") {
  for (const Path& path : all_paths()) {
    CAPTURE(path.text);
    std::string methods = std::string(path.methods) + ",";
    for (const Method method : {Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch,
                                Method::Options, Method::Trace}) {
      const bool is_named = (" " + methods).find(" " + std::string(method_name(method)) + ",") != std::string::npos;
      CHECK(is_allowed(path, method) == is_named);
    }
    CHECK(is_allowed(path, Method::Options));
    CHECK(is_allowed(path, Method::Get) == is_allowed(path, Method::Head));
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
