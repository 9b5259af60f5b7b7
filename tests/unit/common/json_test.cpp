#include "common/json.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace holdfast;

TEST_CASE("a JSON text is read, or discarded if it is not valid") {
  CHECK(parse_json(R"({"level": "debug"})")["level"] == "debug");
  for (const char* text : {"", "{", "{\"a\": }", "[1] 2", "\"\xff\""}) CHECK(parse_json(text).is_discarded());
}

TEST_CASE("invalid UTF-8 becomes the replacement character") {
  CHECK(json_text(nlohmann::json{{"name", "a\xff"}}) == "{\"name\":\"a\xef\xbf\xbd\"}");
  CHECK(json_text(nlohmann::ordered_json("\xc3")) == "\"\xef\xbf\xbd\"");
  CHECK(pretty_json(nlohmann::ordered_json{{"b", 1}, {"a", "\xff"}}) ==
        "{\n  \"b\": 1,\n  \"a\": \"\xef\xbf\xbd\"\n}\n");
}
