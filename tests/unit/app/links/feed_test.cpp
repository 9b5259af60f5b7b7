#include "app/links/feed.h"

#include "app/links/unreplayed.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a change that commits after a later one was read is told as well, and none is told twice") {
  FeedPlace place;
  CHECK(place.begin(100, "1"));  // 100 is under way
  CHECK(place.is_new(101, 7));   // 101 has committed
  CHECK_FALSE(place.end(1));
  CHECK(place.transaction() == "100");
  CHECK(place.begin(102, "1"));
  CHECK(place.is_new(100, 6));
  CHECK_FALSE(place.is_new(101, 7));
  CHECK_FALSE(place.end(2));
  CHECK(place.transaction() == "102");
}

TEST_CASE("pages are read on from their last row, and the place is where the first page's server stood") {
  FeedPlace place;
  CHECK(place.begin(50, "1"));
  CHECK(place.is_new(60, 3));
  CHECK(place.end(FeedPlace::kPage));
  CHECK(place.transaction() == "60");
  CHECK(place.number() == "3");
  CHECK(place.begin(70, "1"));
  CHECK_FALSE(place.end(0));
  CHECK(place.transaction() == "50");
  CHECK(place.number() == "0");
}

TEST_CASE("a server with another history is read from its beginning") {
  FeedPlace place;
  CHECK(place.begin(100, "1"));
  CHECK_FALSE(place.end(0));
  CHECK_FALSE(place.begin(100, "2"));  // promoted
  CHECK(place.transaction() == "0");
  CHECK(place.begin(100, "2"));
  CHECK_FALSE(place.end(0));
  CHECK_FALSE(place.begin(90, "2"));  // restored from an old copy
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
