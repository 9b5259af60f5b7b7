#include "app/links/feed.h"

#include "app/links/unreplayed.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a reading goes on from what the last one could see, not from the last number that it read") {
  FeedPlace place(FeedPlace::From::Beginning);
  CHECK_FALSE(place.pass("100:103:100,102", 2, "101", "7"));  // 100 and 102 are under way
  CHECK(place.transaction() == "100");
  CHECK(place.number() == "0");
  CHECK(place.seen() == "100:103:100,102");
  CHECK_FALSE(place.pass("103:103:", 0, "", ""));  // nothing new among what has ended meanwhile
  CHECK(place.transaction() == "103");
}

TEST_CASE("who begins with the news is told nothing of before, who begins at the beginning everything") {
  FeedPlace now(FeedPlace::From::Now);
  CHECK(now.seen() == "18446744073709551615:18446744073709551615:");
  CHECK(now.transaction() == "18446744073709551615");
  FeedPlace beginning(FeedPlace::From::Beginning);
  CHECK(beginning.seen() == "3:3:");
  CHECK(beginning.transaction() == "3");
  CHECK_FALSE(now.pass("100:100:", 0, "", ""));
  CHECK(now.seen() == "100:100:");
}

TEST_CASE(
    "pages are read on from their last row, and what the first of them could not see is new to the next reading") {
  FeedPlace place(FeedPlace::From::Beginning);
  CHECK_FALSE(place.is_amid());
  CHECK(place.pass("50:50:", FeedPlace::kPage, "40", "3"));
  CHECK(place.is_amid());
  CHECK(place.transaction() == "40");
  CHECK(place.number() == "3");
  CHECK(place.seen() == "3:3:");
  CHECK_FALSE(place.pass("70:70:", 1, "60", "9"));  // 60 was not there yet when the first page was read
  CHECK_FALSE(place.is_amid());
  CHECK(place.seen() == "50:50:");
  CHECK(place.transaction() == "50");
}

TEST_CASE("a server with another history is known by its timeline, and by transactions that go back") {
  FeedHistory history;
  CHECK(history.goes_on(100, "1"));
  CHECK(history.goes_on(100, "1"));
  CHECK_FALSE(history.goes_on(101, "2"));  // promoted
  CHECK(history.goes_on(102, "2"));
  CHECK_FALSE(history.goes_on(90, "2"));  // restored from an old copy
  CHECK(history.goes_on(90, "2"));
}

TEST_CASE("a change is waited for until it is replayed, and one without a place until it has one") {
  Unreplayed changes;
  changes.add("a", 10);
  changes.add_unplaced("b");
  CHECK(changes.needed_for("a") == 10);
  CHECK(changes.needed_for("other") == 0);
  changes.placed(20);  // by a reading that may have begun before the change
  CHECK(changes.needed_for("b") == UINT64_MAX);
  changes.placed(30);
  CHECK(changes.needed_for("b") == 30);
  changes.replayed(29);
  CHECK_FALSE(changes.is_changed("a"));
  CHECK(changes.needed_for("a") == 10);  // a replica that comes back with less is not asked
  CHECK(changes.is_changed("b"));
  changes.replayed(30);
  CHECK(changes.size() == 0);
}

TEST_CASE("of more changes than are kept the oldest become a floor for all") {
  Unreplayed changes(2);
  changes.add("a", 10);
  changes.add("b", 20);
  changes.add("c", 30);
  CHECK(changes.size() == 2);
  CHECK(changes.needed_for("other") == 10);
}

TEST_CASE("of another history nothing is kept") {
  Unreplayed changes(2);
  for (const char* code : {"a", "b", "c"}) changes.add(code, 1000);
  changes.add_unplaced("d");
  changes.clear();
  CHECK(changes.needed_for("c") == 0);
  CHECK(changes.needed_for("d") == 0);
  CHECK(changes.needed_for("other") == 0);
  changes.placed(10);
  changes.placed(20);
  CHECK(changes.size() == 0);
}
