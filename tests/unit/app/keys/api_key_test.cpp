#include "app/keys/api_key.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a fresh key is one of ours, bears its id, and is never made twice") {
  const FreshKey one = make_api_key();
  const FreshKey other = make_api_key();
  CHECK(is_api_key(one.text));
  CHECK(one.text.find("_" + one.id + "_") == 2);
  CHECK(one.text != other.text);
  CHECK(one.id != other.id);
}

TEST_CASE("what is no key is not worth a hash") {
  const std::string key = make_api_key().text;
  for (const std::string& bad : {std::string(), std::string("hf_"), key + "x", key.substr(1), "Bearer " + key}) {
    CAPTURE(bad);
    CHECK_FALSE(is_api_key(bad));
  }
}

TEST_CASE("scopes are a list of known words, and admin may do both") {
  struct Row {
    const char* text;
    const char* literal;  // empty: refused
  };
  for (const Row& row : {Row{"read", "{read}"}, Row{"write", "{write}"}, Row{"write,read", "{read,write}"},
                         Row{"admin", "{read,write,admin}"}, Row{"", ""}, Row{"read,root", ""}, Row{"READ", ""},
                         Row{"read write", ""}}) {
    CAPTURE(row.text);
    const auto scopes = parse_scopes(row.text);
    CHECK((scopes ? scopes_literal(*scopes) : std::string()) == row.literal);
  }
}
