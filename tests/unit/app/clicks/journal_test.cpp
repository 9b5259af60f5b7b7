#include "app/clicks/journal.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace holdfast;
using namespace holdfast::app;

namespace {

/// A folder that is gone with the test.
struct Folder {
  Folder() {
    char name[] = "/tmp/holdfast-journal-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

Click click_to(std::string_view code) {
  Click click;
  click.code = code;
  click.at_ms = 1'780'000'000'000;
  return click;
}

std::unique_ptr<Journal> open_in(const Folder& folder, std::size_t bytes_max = 1 << 20,
                                 std::size_t segment_bytes = 1 << 16) {
  auto journal = Journal::open({.folder = folder.path, .bytes_max = bytes_max, .segment_bytes = segment_bytes});
  REQUIRE_MESSAGE(journal.has_value(), journal.error());
  return std::move(*journal);
}

/// One turn of a loop that records these.
void turn(Journal& journal, TurnOutput& output, std::initializer_list<std::string_view> codes) {
  for (const std::string_view code : codes) journal.record(click_to(code), output);
  output.flush_all();
}

/// All codes that can be read, in order, and where they stand.
struct Read {
  std::vector<std::string> codes;
  std::vector<std::pair<ClickSource, std::uint64_t>> places;
};
Read read_on(JournalReader& reader) {
  Read read;
  ClickSource source;
  Frame frame;
  while (reader.next(source, frame)) {
    std::string_view rest = frame.records;
    for (std::uint32_t i = 0; i < frame.count; ++i) {
      const auto click = take_record(rest);
      REQUIRE(click.has_value());
      read.codes.emplace_back(click->code);
      read.places.emplace_back(source, frame.first + i);
    }
    CHECK(rest.empty());
  }
  return read;
}
Read read_all(const Journal& journal) {
  JournalReader reader(journal);
  return read_on(reader);
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Peer final : TurnWriter {
  Journal* journal = nullptr;
  std::size_t readable_then = 0;
  void send_now(std::string_view) override { readable_then = read_all(*journal).codes.size(); }
};

}  // namespace

TEST_CASE("a click is on record before the response of its turn leaves") {
  const Folder folder;
  const auto journal = open_in(folder);
  TurnOutput output;
  Peer peer;
  peer.journal = journal.get();
  journal->record(click_to("a"), output);
  output.add(peer, {"302"});
  journal->record(click_to("b"), output);
  CHECK(read_all(*journal).codes.empty());
  output.flush(peer);
  CHECK(peer.readable_then == 2);
}

TEST_CASE("what is recorded is read again in order, with successive numbers, while it grows and across segments") {
  const Folder folder;
  const auto journal = open_in(folder, 1 << 20, 200);
  TurnOutput output;
  JournalReader reader(*journal);
  turn(*journal, output, {"a", "b"});
  CHECK(read_on(reader).codes == std::vector<std::string>{"a", "b"});
  CHECK(read_on(reader).codes.empty());
  for (int i = 0; i < 20; ++i) turn(*journal, output, {"c", "d", "e"});
  const Read rest = read_on(reader);
  CHECK(rest.codes.size() == 60);
  CHECK(journal->segments().size() > 5);
  const Read all = read_all(*journal);
  REQUIRE(all.places.size() == 62);
  for (std::size_t i = 0; i < all.places.size(); ++i) {
    CHECK(all.places[i].first == journal->source());
    CHECK(all.places[i].second == i + 1);
  }
  CHECK(journal->written() == 62);
  CHECK(journal->recorded() == 62);
}

TEST_CASE("a later run reads what an earlier one wrote, is the same instance, and has a larger epoch") {
  const Folder folder;
  TurnOutput output;
  ClickSource before;
  {
    const auto journal = open_in(folder);
    before = journal->source();
    turn(*journal, output, {"a", "b"});
  }
  const auto journal = open_in(folder);
  CHECK(journal->source().instance == before.instance);
  CHECK(journal->source().epoch > before.epoch);
  turn(*journal, output, {"c"});
  const Read read = read_all(*journal);
  CHECK(read.codes == std::vector<std::string>{"a", "b", "c"});
  CHECK(read.places.front() == std::pair(before, std::uint64_t{1}));
  CHECK(read.places.back() == std::pair(journal->source(), std::uint64_t{1}));
}

TEST_CASE("cut anywhere, a segment gives all frames that are whole, and the journal goes on") {
  TurnOutput output;
  const Folder origin;
  {
    const auto journal = open_in(origin);
    turn(*journal, output, {"a"});
    turn(*journal, output, {"b", "c"});
    turn(*journal, output, {"d"});
  }
  std::string path;
  for (const auto& entry : std::filesystem::directory_iterator(origin.path)) {
    if (entry.path().extension() == ".clicks") path = entry.path();
  }
  const std::string whole = bytes_of(path);
  std::size_t most = 0;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    CAPTURE(length);
    const Folder folder;
    std::ofstream(folder.path + "/1-1.clicks", std::ios::binary) << whole.substr(0, length);
    const auto journal = open_in(folder);
    turn(*journal, output, {"later"});
    const Read read = read_all(*journal);
    const std::size_t expected = read.codes.size() - 1;
    CHECK((expected == 0 || expected == 1 || expected == 3 || expected == 4));
    CHECK(read.codes.back() == "later");
    CHECK(expected >= most);
    CHECK(journal->damaged() <= 1);
    most = expected;
  }
  CHECK(most == 4);
}

TEST_CASE("a byte that was changed ends its segment where it stands, and is noticed") {
  TurnOutput output;
  const Folder origin;
  {
    const auto journal = open_in(origin);
    turn(*journal, output, {"first"});
    turn(*journal, output, {"second"});
  }
  std::string path;
  for (const auto& entry : std::filesystem::directory_iterator(origin.path)) {
    if (entry.path().extension() == ".clicks") path = entry.path();
  }
  const std::string whole = bytes_of(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    const Folder folder;
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    std::ofstream(folder.path + "/1-1.clicks", std::ios::binary) << changed;
    const auto journal = open_in(folder);
    const Read read = read_all(*journal);
    CHECK(read.codes.size() < 2);
    if (read.codes.size() == 1) CHECK(read.codes.front() == "first");
    CHECK(journal->damaged() == 1);
  }
}

TEST_CASE("two processes never share a journal, and the second is told who has it") {
  const Folder folder;
  const auto journal = open_in(folder);
  const auto second = Journal::open({.folder = folder.path});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().find(std::to_string(::getpid())) != std::string::npos);
  CHECK(second.error().find("CLICKS_FOLDER") != std::string::npos);
}

TEST_CASE("a folder that cannot be had is an error that says what to do") {
  const auto journal = Journal::open({.folder = "/proc/nothing/here"});
  REQUIRE_FALSE(journal.has_value());
  CHECK(journal.error().find("CLICKS_FOLDER") != std::string::npos);
}

TEST_CASE("segments that the database has are removed; one with a click that it has not stays") {
  const Folder folder;
  const auto journal = open_in(folder, 1 << 20, 200);
  TurnOutput output;
  for (int i = 0; i < 30; ++i) turn(*journal, output, {"a", "b"});
  const auto before = journal->segments();
  REQUIRE(before.size() > 3);
  journal->mark_stored(journal->source(), before[1].last - 1);
  CHECK(journal->segments().size() == before.size() - 1);
  CHECK(read_all(*journal).places.front().second == before[1].header.first);
  journal->mark_stored(journal->source(), journal->written());
  CHECK(journal->segments().size() == 1);
  CHECK_FALSE(std::filesystem::exists(before.front().path));
  CHECK(journal->bytes() == journal->segments().front().bytes);
  turn(*journal, output, {"z"});
  CHECK(read_all(*journal).codes.back() == "z");
}

TEST_CASE("a full journal drops its oldest segment and counts the clicks that the database did not have") {
  const Folder folder;
  const auto journal = open_in(folder, 2'000, 300);
  TurnOutput output;
  turn(*journal, output, {"a", "b"});
  journal->mark_stored(journal->source(), 2);
  for (int i = 0; i < 100; ++i) turn(*journal, output, {"c", "d"});
  CHECK(journal->bytes() <= 2'000);
  const Read read = read_all(*journal);
  CHECK(read.codes.size() + journal->dropped_full() == 200);
  CHECK(journal->dropped_full() > 100);
  CHECK(read.places.back().second == 202);
}

TEST_CASE("a reader whose segment is removed goes on with the next one") {
  const Folder folder;
  const auto journal = open_in(folder, 1 << 20, 200);
  TurnOutput output;
  turn(*journal, output, {"a"});
  JournalReader reader(*journal);
  CHECK(read_on(reader).codes.size() == 1);
  for (int i = 0; i < 20; ++i) turn(*journal, output, {"b", "c"});
  journal->mark_stored(journal->source(), journal->written());
  turn(*journal, output, {"last"});
  const Read read = read_on(reader);
  REQUIRE_FALSE(read.codes.empty());
  CHECK(read.codes.back() == "last");
}
