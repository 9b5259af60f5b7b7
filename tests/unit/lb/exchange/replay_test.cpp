#include "lb/exchange/replay.h"

#include <doctest/doctest.h>

using holdfast::lb::Replay;

TEST_CASE("what was collected and passed on can be sent again in order") {
  Replay replay;
  replay.reset(10);
  replay.collect("abc");
  replay.sent_all();
  replay.passed_on("def");
  CHECK(replay.is_whole());
  CHECK(replay.bytes() == "abcdef");
}

TEST_CASE("a body that outgrows the bound is forgotten once it was sent, not before") {
  Replay replay;
  replay.reset(4);
  replay.collect("abc");
  CHECK_FALSE(replay.is_full());
  replay.collect("def");
  CHECK(replay.is_full());
  CHECK(replay.is_whole());
  CHECK(replay.bytes() == "abcdef");
  replay.sent_all();
  CHECK_FALSE(replay.is_whole());
  CHECK(replay.bytes().empty());
}

TEST_CASE("a piece that does not fit makes the whole unrepeatable, and later ones do not make it look whole") {
  Replay replay;
  replay.reset(4);
  replay.passed_on("abcd");
  CHECK(replay.is_whole());
  replay.passed_on("e");
  CHECK_FALSE(replay.is_whole());
  replay.passed_on("f");
  CHECK_FALSE(replay.is_whole());
  CHECK(replay.bytes().empty());
  replay.reset(4);
  CHECK(replay.is_whole());
}
