#include "lb/access_log/ring.h"

#include <doctest/doctest.h>
#include <string>
#include <thread>

using namespace holdfast::lb;

namespace {

std::string all_of(ByteRing& ring) {
  const auto [first, second] = ring.unread();
  std::string text(first);
  text += second;
  ring.take(text.size());
  return text;
}

}  // namespace

TEST_CASE("a ring gives back what it took, around its end as well") {
  ByteRing ring(16);
  for (int i = 0; i < 50; ++i) {
    const std::string text = "line " + std::to_string(i) + "\n";
    REQUIRE(ring.push(text));
    REQUIRE(all_of(ring) == text);
  }
}

TEST_CASE("what has no room is not taken at all") {
  ByteRing ring(16);
  CHECK(ring.push("0123456789"));
  CHECK_FALSE(ring.push("0123456"));
  CHECK(ring.push("abcdef"));
  CHECK_FALSE(ring.push("x"));
  CHECK(all_of(ring) == "0123456789abcdef");
  CHECK_FALSE(ring.push("01234567890123456"));
  CHECK(ring.push("x"));
}

TEST_CASE("a ring between two threads loses and doubles nothing") {
  ByteRing ring(4096);
  constexpr int kLines = 200'000;
  std::thread writer([&ring] {
    for (int i = 0; i < kLines; ++i) {
      const std::string text = std::to_string(i) + "\n";
      while (!ring.push(text)) std::this_thread::yield();
    }
  });
  std::string rest;
  int next = 0;
  while (next < kLines) {
    rest += all_of(ring);
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      if (rest.substr(begin, end - begin) != std::to_string(next)) break;
      ++next;
      begin = end + 1;
    }
    if (rest.find('\n', begin) != std::string::npos) break;  // not the line that was due
    rest.erase(0, begin);
  }
  writer.join();
  CHECK(next == kLines);
}
