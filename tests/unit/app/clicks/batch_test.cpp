#include "app/clicks/batch.h"

#include "app/clicks/ingest.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

namespace {

const ClickSource kHere{.instance = {0xab}, .epoch = 7};

Click click_to(std::string_view code) {
  Click click;
  click.code = code;
  click.referrer = "news.example";
  click.at_ms = 1'780'000'000'000;
  click.device = Device::Mobile;
  return click;
}

std::string records(std::initializer_list<std::string_view> codes) {
  std::string out;
  for (const std::string_view code : codes) append_record(out, click_to(code));
  return out;
}

std::string entry_of(std::uint64_t first, std::uint32_t count, const std::string& bytes) {
  return entry_header({.source = kHere, .first = first, .count = count, .records = {}}) + bytes;
}

}  // namespace

TEST_CASE("an entry that was written is read again, and what is none is not") {
  const std::string bytes = entry_of(41, 2, records({"a", "b"}));
  const auto entry = read_entry(bytes);
  REQUIRE(entry.has_value());
  CHECK(entry->source == kHere);
  CHECK(entry->first == 41);
  CHECK(entry->last() == 42);
  CHECK(entry->records == records({"a", "b"}));
  CHECK_FALSE(read_entry("").has_value());
  CHECK_FALSE(read_entry(std::string_view(bytes).substr(0, kEntryHeaderBytes)).has_value());
  CHECK_FALSE(read_entry("\x02" + bytes.substr(1)).has_value());
  CHECK_FALSE(read_entry(entry_of(0, 2, records({"a"}))).has_value());
  CHECK_FALSE(read_entry(entry_of(1, 0, records({"a"}))).has_value());
  CHECK_FALSE(read_entry(entry_of(1, 4'000'000'000, records({"a"}))).has_value());
  CHECK_FALSE(read_entry(entry_of(~std::uint64_t{0}, 1, records({"a"}))).has_value());
}

TEST_CASE("a batch knows each click by its place, and says with as few ranges as can be which numbers are done") {
  Batch batch;
  batch.add_entry(entry_of(1, 2, records({"a", "b"})));
  batch.add_entry(entry_of(3, 1, records({"c"})));
  batch.add_entry(entry_of(10, 1, records({"d"})));
  REQUIRE(batch.clicks().size() == 4);
  CHECK(batch.dead().empty());
  CHECK(batch.clicks()[3].click.code == "d");
  CHECK(batch.clicks()[3].sequence == 10);
  CHECK(batch.clicks()[3].id == id_of(batch.clicks()[3].click, kHere, 10));
  const auto arguments = ingest_arguments(batch.clicks(), batch.dead(), "w");
  REQUIRE(arguments.size() == 14);
  CHECK(arguments[2] == R"({"a","b","c","d"})");
  CHECK(arguments[8] == "{NULL,NULL,NULL,NULL}");
  CHECK(arguments[10] == "{7,7}");
  CHECK(arguments[11] == "{1,10}");
  CHECK(arguments[12] == "{3,10}");
  CHECK(arguments[13] == "[]");
}

TEST_CASE("a record that cannot be read is dead, the others of its entry live, and all their numbers are done") {
  std::string odd = records({"x"});
  odd[2] = 9;  // a version of another time
  Batch batch;
  batch.add_entry(entry_of(1, 3, records({"a"}) + odd + records({"b"})));
  REQUIRE(batch.clicks().size() == 2);
  CHECK(batch.clicks()[1].sequence == 3);
  REQUIRE(batch.dead().size() == 1);
  CHECK(batch.dead()[0].bytes == odd);
  CHECK(batch.dead()[0].first == 2);
  const auto arguments = ingest_arguments(batch.clicks(), batch.dead(), "w");
  CHECK(arguments[11] == "{1,3,2}");
  CHECK(arguments[12] == "{1,3,2}");
  CHECK(arguments[13].find(R"("kind":"record")") != std::string::npos);
}

TEST_CASE("behind a record that is cut short nothing can be read: the rest is one dead letter") {
  const std::string bytes = records({"a", "b", "c"});
  Batch batch;
  batch.add_entry(entry_of(5, 3, bytes.substr(0, bytes.size() - records({"c"}).size() - 2)));
  CHECK(batch.clicks().size() == 1);
  REQUIRE(batch.dead().size() == 1);
  CHECK(batch.dead()[0].first == 6);
  CHECK(batch.dead()[0].last == 7);
}

TEST_CASE("what is no entry is a dead letter without a place, known by its bytes") {
  Batch batch;
  batch.add_entry("rubbish");
  Batch again;
  again.add_entry("rubbish");
  REQUIRE(batch.dead().size() == 1);
  CHECK(batch.dead()[0].is_entry);
  CHECK_FALSE(batch.dead()[0].source.has_value());
  CHECK(batch.dead()[0].id == again.dead()[0].id);
  CHECK(ingest_arguments({}, batch.dead(), "w")[10] == "{}");
  batch.clear();
  CHECK(batch.is_empty());
}

TEST_CASE("an entry that is not to be read is one dead letter for all its numbers") {
  Batch batch;
  batch.add_dead_entry(entry_of(5, 2, records({"a", "b"})), "they died");
  CHECK(batch.clicks().empty());
  REQUIRE(batch.dead().size() == 1);
  CHECK(batch.dead()[0].last == 6);
  CHECK(batch.dead()[0].reason == "they died");
}

TEST_CASE("texts that are part of an array's grammar stay texts") {
  Batch batch;
  batch.add_entry(entry_of(1, 1, records({R"(a"b\c,{}NULL)"})));
  CHECK(ingest_arguments(batch.clicks(), {}, "w")[2] == R"({"a\"b\\c,{}NULL"})");
}

TEST_CASE("data and constraints are a record's own fault; connections, locks, room and shut-downs are not") {
  for (const char* state : {"22021", "22P02", "22003", "23514"}) CHECK(is_poison(state));
  for (const char* state : {"", "08006", "40001", "40P01", "53100", "57P01", "57014", "42P01", "25006"}) {
    CHECK_FALSE(is_poison(state));
  }
}
