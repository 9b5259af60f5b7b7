#include "app/links/code.h"
#include "app/links/link.h"

#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace holdfast::app;

TEST_CASE("every letter stands for equally many bytes, and the bytes left over for none") {
  std::map<char, int> bytes_of;
  int refused = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const auto letter = letter_for(static_cast<std::uint8_t>(byte));
    letter ? void(++bytes_of[*letter]) : void(++refused);
  }
  CHECK(bytes_of.size() == 62);
  for (const auto& [letter, bytes] : bytes_of) CHECK(bytes == 4);
  CHECK(refused == 8);
}

TEST_CASE("codes are of the asked length, may be codes, and do not repeat") {
  std::set<std::string> codes;
  for (int i = 0; i < 2000; ++i) {
    const std::string code = random_code();
    CHECK(code.size() == kCodeLength);
    CHECK(is_code(code));
    codes.insert(code);
  }
  CHECK(codes.size() == 2000);
  CHECK(random_code(12).size() == 12);
}

TEST_CASE("a random UUID says that it is one") {
  const std::string uuid = random_uuid();
  REQUIRE(uuid.size() == 36);
  CHECK(uuid[14] == '4');
  CHECK(std::string_view("89ab").find(uuid[19]) != std::string_view::npos);
  CHECK(uuid != random_uuid());
}
