// The OpenAPI document against the routes: every path and method of each is in the other.
#include "app/http/assets.h"
#include "app/http/routes.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

using namespace holdfast;
using namespace holdfast::app;
using Json = nlohmann::json;

TEST_CASE("the OpenAPI document has every route, and nothing else") {
  const Json document = Json::parse(asset("openapi.json"));
  std::set<std::string> described;
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (method != "parameters") described.insert(method + " " + path);
    }
  }
  std::set<std::string> routed;
  for (const Path& path : all_paths()) {
    for (const auto& [method, name] :
         {std::pair{Method::Get, "get "}, std::pair{Method::Post, "post "}, std::pair{Method::Put, "put "},
          std::pair{Method::Patch, "patch "}, std::pair{Method::Delete, "delete "}}) {
      if (is_allowed(path, method)) routed.insert(name + std::string(path.text));
    }
  }
  CHECK(described == routed);
}

TEST_CASE("every file of the page is built in, and has a route of its own") {
  for (const WebFile& file : kWebFiles) {
    CAPTURE(file.path);
    CHECK_FALSE(asset(file.file).empty());
    std::string storage;
    CHECK(match(file.path, storage).route == Route::Page);
  }
  CHECK(asset("nonsense").empty());
}
