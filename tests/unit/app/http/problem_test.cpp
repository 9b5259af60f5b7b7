#include "app/http/problem.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace holdfast::app;
using Json = nlohmann::json;

TEST_CASE("a problem tells all errors of a body at once, each with its pointer") {
  const auto json = Json::parse(
      problem_json(bad_data({{"#/longUrl", "it is required"}, {"#/customSlug", "bad"}}), "https://s.example", ""));
  CHECK(json["type"] == "https://s.example/problems/invalid-data");
  CHECK(json["status"] == 400);
  CHECK(json["errors"].size() == 2);
  CHECK(json["errors"][1]["pointer"] == "#/customSlug");
  CHECK(json["invalidElements"] == Json::array({"longUrl", "customSlug"}));
  CHECK_FALSE(json.contains("instance"));
}

TEST_CASE("a request id becomes the instance where it is a UUID, and nothing else gets in") {
  const std::string uuid = "123e4567-e89b-42d3-a456-426614174000";
  CHECK(Json::parse(problem_json(not_found(), "", uuid))["instance"] == "urn:uuid:" + uuid);
  for (const char* other :
       {"", "abc", "123e4567-e89b-42d3-a456-42661417400\n", "123e4567xe89b-42d3-a456-426614174000"}) {
    CHECK_FALSE(Json::parse(problem_json(not_found(), "", other)).contains("instance"));
  }
}

TEST_CASE("bytes that are no UTF-8 do not keep a problem from being told") {
  const auto json = Json::parse(problem_json(bad_data({{"#/\xFF", "not known"}}), "", ""));
  CHECK(json["status"] == 400);
}

TEST_CASE("a page shows what it was given as text") {
  Problem problem = not_found();
  problem.detail = "<script>\"&'";
  const std::string page = problem_page(problem);
  CHECK(page.find("<script>") == std::string::npos);
  CHECK(page.find("&lt;script&gt;&quot;&amp;&#39;") != std::string::npos);
}

TEST_CASE("a browser is known by what it accepts") {
  CHECK(accepts_html("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
  CHECK_FALSE(accepts_html("*/*"));
  CHECK_FALSE(accepts_html("application/json"));
}
