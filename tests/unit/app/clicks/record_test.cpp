#include "app/clicks/record.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

namespace {

Click some_click() {
  Click click;
  click.code = "abcdefg";
  click.referrer = "news.example";
  click.at_ms = 1'780'000'000'123;
  click.device = Device::Mobile;
  click.is_bot = true;
  click.visitor = 0xABCD;
  click.country = {'D', 'E'};
  click.address = {.family = 4, .bytes = {203, 0, 113}};
  click.request = id_from_text("00112233445566778899aabbccddeeff");
  return click;
}

}  // namespace

TEST_CASE("a record read is the click that was written, with all and with no optional part") {
  for (const bool is_full : {true, false}) {
    Click click = some_click();
    if (!is_full) {
      click.request.reset();
      click.address = {};
      click.referrer = {};
      click.is_bot = false;
    }
    std::string bytes;
    append_record(bytes, click);
    bytes += "rest";
    std::string_view rest = bytes;
    const auto read = take_record(rest);
    REQUIRE(read.has_value());
    CHECK(rest == "rest");
    CHECK(read->code == click.code);
    CHECK(read->referrer == click.referrer);
    CHECK(read->at_ms == click.at_ms);
    CHECK(read->device == click.device);
    CHECK(read->is_bot == click.is_bot);
    CHECK(read->visitor == click.visitor);
    CHECK(read->country == click.country);
    CHECK(read->address == click.address);
    CHECK(read->request == click.request);
  }
}

TEST_CASE("a record that is cut short anywhere is an error, and one of an unknown version too") {
  std::string bytes;
  append_record(bytes, some_click());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    std::string_view cut = std::string_view(bytes).substr(0, length);
    CHECK_FALSE(take_record(cut).has_value());
  }
  bytes[2] = 9;
  std::string_view other = bytes;
  CHECK_FALSE(take_record(other).has_value());
}

TEST_CASE("a record whose size does not fit its parts is an error, and the next one is read all the same") {
  std::string bytes;
  append_record(bytes, some_click());
  bytes[0] = static_cast<char>(bytes[0] + 1);  // one byte more than its parts take
  bytes += 'x';
  append_record(bytes, some_click());
  std::string_view rest = bytes;
  CHECK_FALSE(take_record(rest).has_value());
  CHECK(take_record(rest).has_value());
  CHECK(rest.empty());
}

TEST_CASE("a click is known by its request, else by its place; different places are different clicks") {
  Click click = some_click();
  const ClickSource here{.instance = {1}, .epoch = 5};
  CHECK(id_of(click, here, 1) == id_of(click, {.instance = {2}, .epoch = 9}, 7));
  click.request.reset();
  CHECK(id_of(click, here, 1) == id_of(click, here, 1));
  CHECK(id_of(click, here, 1) != id_of(click, here, 2));
  CHECK(id_of(click, here, 1) != id_of(click, {.instance = {1}, .epoch = 6}, 1));
  CHECK(id_of(click, here, 1) != id_of(click, {.instance = {2}, .epoch = 5}, 1));
}

TEST_CASE("ids are read with and without hyphens, and nothing else is an id") {
  CHECK(uuid_text(id_from_text("00112233445566778899AAbbccddeeff").value()) == "00112233-4455-6677-8899-aabbccddeeff");
  CHECK(id_from_text("00112233-4455-6677-8899-aabbccddeeff").has_value());
  for (const char* text : {"", "0011", "0011223344556677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg",
                           "00112233445566778899aabbccddeefff", "001122334-455-6677-8899-aabbccddeeff"}) {
    CHECK_FALSE(id_from_text(text).has_value());
  }
}

TEST_CASE("a shortened address is printed as the block that it is") {
  CHECK(ShortAddress{.family = 4, .bytes = {203, 0, 113}}.text() == "203.0.113.0/24");
  CHECK(ShortAddress{.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 1}}.text() == "2001:db8:1::/48");
  CHECK(ShortAddress{}.text().empty());
}
