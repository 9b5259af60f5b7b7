#include "common/http/chunks.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

constexpr std::size_t kSteps[] = {1, 2, 3, 7, 100'000};
constexpr std::size_t kIgnored = 16 * 1024;

/// The data in `bytes` read in pieces of `step`, and behind it what the reader left; "bad" where it refuses, "more"
/// where it waits.
std::string read(const std::string& bytes, std::size_t step) {
  ChunkReader reader;
  reader.start();
  std::string data;
  for (std::size_t at = 0; at < bytes.size();) {
    // A heap copy of exactly this piece: a view that outlives it is found by the sanitizer.
    const std::string piece = bytes.substr(at, step);
    const auto read = reader.read(piece);
    if (!read) return "bad";
    REQUIRE(read->used > 0);
    REQUIRE(read->used <= piece.size());
    at += read->used;
    data += read->data;
    if (read->is_last) return data + "|" + bytes.substr(at);
  }
  return "more";
}

}  // namespace

TEST_CASE("chunks read the same however they were split, extensions are passed over, and what follows is left") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"0\r\n\r\n", "|\r\n"},
      {"3\r\nabc\r\n2\r\nde\r\n0\r\nX: a\r\n\r\nGET", "abcde|X: a\r\n\r\nGET"},
      {"000a\r\n0123456789\r\n000\r\n", "0123456789|"},
      {"A\r\n0123456789\r\n0\r\n", "0123456789|"},
      {"2\r\n\r\n\r\n0\r\n", "\r\n|"},
      {"2;a\r\nAB\r\n0;b\r\n", "AB|"},
      {"2;a=b;c;d=\"e\";f\r\nAB\r\n0\r\n", "AB|"},
      {"2;a=\"b;\\\"c\\\\ \t\xe9\"\r\nAB\r\n0\r\n", "AB|"},
      {"2 ;\ta =  b ; c\r\nAB\r\n0\r\n", "AB|"},
      {"2;a=\"b\" ;c\r\nAB\r\n0\r\n", "AB|"},
      {"7fffffffffffffff\r\nAB\r\n0\r\n", "more"},
      {"3\r\nab", "more"},
      {"3\r\nabc\r\n0\r", "more"},
  };
  for (const auto& one : cases) {
    for (const std::size_t step : kSteps) CHECK_MESSAGE(read(one.first, step) == one.second, one.first);
  }
}

TEST_CASE("what is no chunk is refused, however it was split") {
  const std::vector<std::string> cases{
      "\r\n",
      "\n",
      " 0\r\n",
      "\t0\r\n",
      "+0\r\n",
      "-0\r\n",
      "0x0\r\n",
      "g\r\n",
      "0_2\r\n",
      "0,0\r\n",
      "0.0\r\n",
      "0h\r\n",
      "0\n",
      "0\r\r\n",
      "0\rX",
      "0 \r\n",
      "0\t\r\n",
      "0 abc\r\n",
      "0:\r\n",
      "\"0\"\r\n",
      "0;\r\n",
      "0;;a\r\n",
      "0;=a\r\n",
      "0;a=\r\n",
      "0;a b\r\n",
      "0;a \r\n",
      "0; \r\n",
      "0;a=b \r\n",
      "0;a= \r\n",
      "0;a=b=c\r\n",
      "0;a[\r\n",
      "0;a,b\r\n",
      "0;a\"b\"\r\n",
      "0;a=b\"\r\n",
      "0;a=\"b\r\n",
      "0;a=\"b\"c\r\n",
      "0;a=\"b\\\r\n",
      "0;a=\"b\"\"\"",
      "0;a\n",
      "0;\nXX\r\n",
      "0;\rXX\r\n",
      "0;\rX\r\n",
      "0;a\r\r\n",
      "0;a=\"\n\"",
      "0;a=\"\r\"",
      "0;a=\"\\\n\"",
      "0;a=\"\x01\"",
      "0;a\x7f\r\n",
      "2\r\nABXX0\r\n",
      "2\r\nAB0\r\n",
      "2\r\nAB\n0\r\n",
      "2\r\nAB\r0\r\n",
      "2\r\nAB\rX0\r\n",
      "2\r\nAB\r\r\n0\r\n",
      "2\r\nABC\r\n",
      "2\r\nA\r\n0\r",
      "2\r\nAB\n\r0",
      "2\r\nAB\r\n\r\n0",
      "8000000000000000\r\n",
      "100000000000000002\r\n",
  };
  for (const std::string& bytes : cases) {
    for (const std::size_t step : kSteps) CHECK_MESSAGE(read(bytes, step) == "bad", bytes);
  }
  using namespace std::string_literals;
  for (const std::string& bytes : {"0\0\r\n"s, "\0000\r\n"s, "0;a\0\r\n"s, "0;a=\"\0\"\r\n"s, "0\x85\r\n"s})
    CHECK(read(bytes, 1) == "bad");
}

TEST_CASE("accepts at most 16 KiB of extensions, blanks and leading zeros in a body") {
  CHECK(read("1;" + std::string(kIgnored - 1, 'a') + "\r\nx\r\n0\r\n", 7) == "x|");
  CHECK(read("1;" + std::string(kIgnored, 'a') + "\r\nx\r\n0\r\n", 7) == "bad");
  CHECK(read("1;a=\"" + std::string(kIgnored, 'b') + "\"\r\n", 7) == "bad");
  CHECK(read("1" + std::string(kIgnored + 2, ' '), 7) == "bad");
  CHECK(read("0;" + std::string(kIgnored, 'a') + "\r\n", 7) == "bad");
  CHECK(read(std::string(16 + kIgnored, '0') + "\r\n", 7) == "|");
  CHECK(read(std::string(16 + kIgnored + 1, '0') + "\r\n", 7) == "bad");
  const auto chunks = [](std::size_t count, const std::string& size_line) {
    std::string body;
    for (std::size_t i = 0; i < count; ++i) body += size_line + "\r\nx\r\n";
    return body + "0\r\n";
  };
  CHECK(read(chunks(1000, "1;" + std::string(15, 'a')), 7) == std::string(1000, 'x') + "|");
  CHECK(read(chunks(1100, "1;" + std::string(15, 'a')), 7) == "bad");
  CHECK(read(chunks(10, std::string(2000, '0') + "1"), 7) == "bad");
  for (const char* size : {"1", "00000001", "0000000000000001"}) {  // as some servers print it, however it is split
    CAPTURE(size);
    CHECK(read(chunks(20'000, size), 7) == std::string(20'000, 'x') + "|");
    CHECK(read(chunks(20'000, size), 1 << 20) == std::string(20'000, 'x') + "|");
  }
}

TEST_CASE("a reader starts afresh") {
  ChunkReader reader;
  reader.start();
  REQUIRE(reader.read("5;a\r\nab"));
  reader.start();
  const auto read = reader.read("1\r\nx");
  REQUIRE(read);
  CHECK(read->data == "x");
}
