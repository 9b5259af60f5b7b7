#include "common/escape.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using holdfast::append_escaped;
using holdfast::escaped;
using holdfast::valid_utf8_bytes;
using namespace std::string_literals;

TEST_CASE("readable text stays as it is, in any language") {
  for (const std::string& text : {""s, "a b"s, "grüß €"s, "日本"s, "🙂"s}) {
    CAPTURE(text);
    CHECK(escaped(text) == text);
  }
}

TEST_CASE("bytes that a terminal or a reader of lines would obey are spelt out") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"a\nb", "a\\x0ab"},
      {"\x1b[31m", "\\x1b[31m"},
      {"\0"s, "\\x00"},
      {"\x7f", "\\x7f"},
      {"\x9b", "\\x9b"},                    // CSI in one byte
      {"\xc2\x9b", "\\xc2\\x9b"},           // CSI in UTF-8
      {"\xe2\x80\xae", "\\xe2\\x80\\xae"},  // right-to-left override
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},  // line separator
      {"\xc0\x8a", "\\xc0\\x8a"},           // overlong line feed
      {"\xe0\x81\x81", "\\xe0\\x81\\x81"},  // overlong A
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"\xe2\x82", "\\xe2\\x82"},  // cut short
      {"\xe2\x82z", "\\xe2\\x82z"},
  };
  for (const auto& row : rows) {
    const auto& bytes = row.first;
    const auto& expected = row.second;
    CAPTURE(expected);
    CHECK(escaped(bytes) == expected);
  }
}

TEST_CASE("a character cut short is not read past its end") {
  constexpr std::string_view kEuro = "\xe2\x82\xac";
  CHECK(escaped(kEuro.substr(0, 2)) == "\\xe2\\x82");
}

TEST_CASE("marked characters get a backslash") {
  std::string out = "x=";
  append_escaped(out, "a\"b\\c", "\"\\");
  CHECK(out == "x=a\\\"b\\\\c");
}

TEST_CASE("what is too long is cut, and says so") {
  CHECK(escaped("abcdef", 6) == "abcdef");
  CHECK(escaped("abcdefg", 6) == "abcdef…");
}

TEST_CASE("valid UTF-8 is measured up to the first byte that is none") {
  CHECK(valid_utf8_bytes("") == 0);
  CHECK(valid_utf8_bytes("grüß €🙂\n\0"s) == "grüß €🙂\n\0"s.size());
  CHECK(valid_utf8_bytes("ü\xc0\x8a") == 2);
  CHECK(valid_utf8_bytes("a\xe2\x82") == 1);
}
