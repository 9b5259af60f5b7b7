// What the feed's word does to look-ups.
#include "tests/unit/app/links/lookup_bench.h"

#include <doctest/doctest.h>
#include <vector>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

/// Of two answers: the link's own target, or that it cannot be told.
void check_one_is_found_and_none_called_missing(const std::vector<Answer>& answers) {
  REQUIRE(answers.size() == 2);
  for (const Answer& answer : answers) {
    CHECK((answer.outcome == Outcome::Found) == (answer.target == "http://a/"));
    CHECK(answer.outcome != Outcome::NotFound);
  }
}

}  // namespace

TEST_CASE("beyond the budget a replica's miss is a 404 when it has all that the primary had after the question came") {
  Bench bench({.primary_rate = 0.001, .primary_burst = 1, .proof_max = 10'000ms});
  int hurried = 0;
  bench.lookup.expect_feed([&] { ++hurried; });
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
  for (const char* code : {"spends", "absent"}) bench.find(code);
  bench.loop.settle();
  bench.replica.answer();  // both are missed there; one is asked of the primary, the other one waits
  bench.loop.settle();
  CHECK(hurried == 1);
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 2000});  // it may have been asked before the question
  bench.loop.settle();
  CHECK(bench.replica.flights.size() == 1);
  bench.lookup.on_caught_up({.asked_at = bench.loop.now() + 1ms, .lsn = 3000});
  bench.lookup.on_replica_progress();
  bench.loop.settle();
  CHECK(bench.replica.flights.size() == 1);  // it is at 1000
  bench.replica.lsn = 3000;
  bench.lookup.on_replica_progress();
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 2);
  CHECK(bench.replica.flights[1] == std::vector<std::string>{"absent"});
  CHECK(bench.answers.empty());
  bench.replica.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::NotFound);
}

TEST_CASE("a changed link is dropped, and no replica is asked for it before it has replayed the change") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
  bench.redis.available = false;
  bench.cache.fill("a", "http://old/", Proof::Proven, bench.loop.now(), 0.5);
  bench.replica.links["a"] = {"http://old/"};
  bench.primary.links["a"] = {"http://new/"};
  bench.lookup.on_change("a", false, 2000);
  LookupAnswer at_hand;
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  bench.find("a");
  bench.loop.settle();
  CHECK(bench.replica.flights.empty());
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].target == "http://new/");

  bench.replica.lsn = 2000;
  bench.replica.links["a"] = {"http://new/"};
  bench.lookup.on_replica_progress();
  bench.cache.forget("a");
  bench.find("a");
  bench.loop.settle();
  CHECK(bench.replica.flights.size() == 1);
}

TEST_CASE("with the primary away a replica that was behind is waited for, and only what it has counts") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  // What was changed and replayed is the least that a replica must have; this one has begun anew, and is behind that.
  bench.lookup.on_change("z", false, 900);
  bench.lookup.on_replica_progress();
  bench.replica.lsn = 100;
  bench.primary.available = false;
  bench.find("a");
  bench.find("unknown");
  bench.loop.settle();
  CHECK(bench.answers.empty());
  CHECK(bench.replica.flights.empty());
  bench.replica.lsn = 950;
  bench.lookup.on_replica_progress();
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 1);
  bench.replica.answer();
  check_one_is_found_and_none_called_missing(bench.answers);
}

TEST_CASE("a primary that dies under a question leaves it to a replica that was behind") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  bench.lookup.on_change("z", false, 900);
  bench.lookup.on_replica_progress();
  bench.replica.lsn = 100;
  bench.find("a");
  bench.loop.settle();
  REQUIRE(bench.primary.flights.size() == 1);
  bench.primary.available = false;
  bench.primary.answer(Asked::Error);
  CHECK(bench.answers.empty());
  bench.replica.lsn = 950;
  bench.lookup.on_replica_progress();
  bench.loop.settle();
  bench.replica.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::Found);
}

TEST_CASE("a primary that is back and does not answer yet leaves an instance that has not read the feed to a replica") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.replica.links["a"] = {"http://a/"};
  bench.find("a");
  bench.find("unknown");
  bench.loop.settle();
  CHECK(bench.replica.flights.empty());
  REQUIRE(bench.primary.flights.size() == 1);
  bench.primary.answer(Asked::Timeout);
  CHECK(bench.answers.empty());
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 1);
  bench.replica.answer();
  check_one_is_found_and_none_called_missing(bench.answers);
  // Once, and no more: a replica that does not answer either is not asked for ever.
  bench.find("b");
  bench.loop.settle();
  bench.primary.answer(Asked::Timeout);
  bench.loop.settle();
  bench.replica.answer(Asked::Timeout);
  CHECK(bench.answers.back().outcome == Outcome::Unavailable);
}

TEST_CASE("what a replica was being asked when the change was heard of does not count") {
  Bench bench;
  bench.replica.links["a"] = {"http://old/"};
  bench.find("a");
  bench.loop.settle();
  bench.lookup.on_change("a", true, 2000);
  bench.replica.answer();
  CHECK(bench.answers.empty());
  bench.primary.links["a"] = {"", true};
  bench.loop.settle();
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::Deleted);
}

TEST_CASE("with the feed silent a copy of some age is asked for in Redis") {
  Bench bench({.feed_live = 0ms});
  bench.lookup.expect_feed([] {});
  bench.cache.fill("a", "http://a/", Proof::Proven, bench.loop.now() - 10ms, 0.5);
  LookupAnswer at_hand;
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  bench.redis.available = false;
  CHECK(bench.lookup.find_now("a", at_hand));
}

TEST_CASE("what an instance behind in the feed leaves in Redis is not believed right after the change") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
  bench.primary.links["a"] = {"http://new/"};
  bench.lookup.on_change("a", false, 2000);
  bench.redis.values["a"] = {"http://old/"};  // by the other one, which has not heard
  bench.find("a");
  bench.loop.settle();
  REQUIRE(bench.primary.flights.size() == 1);
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].target == "http://new/");
  LookupAnswer at_hand;
  REQUIRE(bench.lookup.find_now("a", at_hand));
  CHECK(at_hand.target == "http://new/");
  // The writer of a change knows it before the feed tells.
  bench.redis.values["b"] = {"http://old/"};
  bench.primary.links["b"] = {{}, true};
  bench.lookup.changed("b");
  bench.find("b");
  bench.loop.settle();
  bench.primary.answer();
  CHECK(bench.answers.back().outcome == Outcome::Deleted);
}

TEST_CASE("who has not heard from the feed lately leaves nothing in Redis") {
  for (const bool is_live : {true, false}) {
    CAPTURE(is_live);
    Bench bench;
    bench.lookup.expect_feed([] {});
    bench.lookup.on_caught_up({.asked_at = bench.loop.now() - (is_live ? 0ms : 1001ms), .lsn = 900});
    bench.replica.links["a"] = {"http://a/"};
    bench.find("a");
    bench.loop.settle();
    bench.replica.answer();
    CHECK(bench.answers.back().outcome == Outcome::Found);
    CHECK(bench.redis.values.contains("a") == is_live);
    CHECK(bench.lookup.may_be_old("x") == !is_live);
  }
}

TEST_CASE("until the feed was replayed, a replica counts only where it has all that will not be told as news") {
  for (const bool is_far_enough : {false, true}) {
    CAPTURE(is_far_enough);
    Bench bench;
    bench.lookup.expect_feed([] {});
    bench.replica.links["a"] = {"http://old/"};
    bench.find("a");  // nothing was read of the feed yet
    bench.loop.settle();
    CHECK(bench.replica.flights.empty());
    bench.primary.answer();
    bench.replica.lsn = is_far_enough ? 900 : 899;
    bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
    bench.find("a");
    bench.loop.settle();
    CHECK(bench.replica.flights.size() == (is_far_enough ? 1 : 0));
    bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 5000});  // a later mark asks for no more
    bench.find("b");
    bench.loop.settle();
    CHECK(bench.replica.flights.size() == (is_far_enough ? 2 : 0));
  }
}

TEST_CASE(
    "what was seen before the feed was heard is not kept: what has changed it since is told with the past alone") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.redis.available = false;
  bench.primary.links["a"] = bench.primary.links["b"] = {"http://old/"};
  LookupAnswer at_hand;
  bench.find("a");
  bench.loop.settle();
  bench.primary.answer();
  CHECK(bench.lookup.find_now("a", at_hand));
  bench.find("b");
  bench.loop.settle();
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  bench.primary.answer();
  CHECK(bench.answers.back().outcome == Outcome::Found);
  CHECK_FALSE(bench.lookup.find_now("b", at_hand));
  bench.replica.links["b"] = {"http://b/"};
  bench.find("b");
  bench.loop.settle();
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 901});  // a later mark drops nothing
  bench.replica.answer();
  CHECK(bench.lookup.find_now("b", at_hand));
}

TEST_CASE("what a replay tells a look-up that has just begun is known to be changed; later it knows that already") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 2000});
  bench.cache.fill("a", "http://old/", Proof::Unproven, bench.loop.now(), 0.5);  // by a replica, the primary being away
  bench.redis.values["a"] = {"http://old/"};
  bench.primary.links["a"] = {"http://new/"};
  bench.lookup.on_past_change("a", 2000);
  LookupAnswer at_hand;
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  bench.lookup.on_replayed({.asked_at = bench.loop.now(), .lsn = 2000});
  bench.find("a");
  bench.find("b");  // of which nothing was told: a replica that is behind may be asked
  bench.loop.settle();
  REQUIRE(bench.primary.flights.size() == 1);
  CHECK(bench.primary.flights[0] == std::vector<std::string>{"a"});
  REQUIRE(bench.replica.flights.size() == 1);
  CHECK(bench.replica.flights[0] == std::vector<std::string>{"b"});
  bench.primary.answer();
  CHECK(bench.answers.back().target == "http://new/");
  bench.lookup.on_past_change("a", 3000);  // replayed for Redis, which is back
  CHECK(bench.lookup.find_now("a", at_hand));
  CHECK(bench.lookup.unreplayed() == 1);
}

TEST_CASE("of another history nothing is believed, and no replica asked, before its feed was read") {
  Bench bench;
  bench.lookup.expect_feed([] {});
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 900});
  bench.lookup.on_replayed({.asked_at = bench.loop.now(), .lsn = 900});
  bench.cache.fill("a", "http://a/", Proof::Proven, bench.loop.now(), 0.5);
  bench.lookup.on_change("b", false, 1'000'000);
  bench.redis.available = false;
  bench.lookup.on_new_history();
  LookupAnswer at_hand;
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  CHECK_FALSE(bench.lookup.is_feed_live());
  bench.find("a");
  bench.loop.settle();
  CHECK(bench.replica.flights.empty());
  bench.primary.answer();
  bench.lookup.on_caught_up({.asked_at = bench.loop.now(), .lsn = 1000});
  bench.find("b");
  bench.loop.settle();
  CHECK(bench.replica.flights.size() == 1);
}
