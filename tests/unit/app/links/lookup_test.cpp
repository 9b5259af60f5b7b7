#include "app/links/redis_cache.h"
#include "tests/unit/app/links/lookup_bench.h"

#include <doctest/doctest.h>
#include <uv.h>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

TEST_CASE("a link that Redis has is answered without a database, and from memory the next time") {
  Bench bench;
  bench.redis.values["a"] = {"http://a/"};
  LookupAnswer at_hand;
  CHECK_FALSE(bench.lookup.find_now("a", at_hand));
  bench.find("a");
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::Found);
  CHECK(bench.answers[0].target == "http://a/");
  CHECK(bench.lookup.find_now("a", at_hand));
  CHECK(at_hand.target == "http://a/");
  CHECK(bench.replica.flights.empty());
}

TEST_CASE("codes asked for in one turn travel as one question, each code once") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  bench.replica.links["b"] = {"http://b/"};
  bench.find("a");
  bench.find("b");
  bench.find("a");
  CHECK(bench.replica.flights.empty());
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 1);
  CHECK(bench.replica.flights[0] == std::vector<std::string>{"a", "b"});
  bench.replica.answer();
  CHECK(bench.answers.size() == 3);
  CHECK(bench.primary.flights.empty());
  CHECK(bench.lookup.under_way() == 0);
}

TEST_CASE("while two questions are under way the next gathers, and goes out when one of them is answered") {
  Bench bench;
  for (const char* code : {"a", "b"}) {
    bench.find(code);
    bench.loop.settle();
  }
  for (int i = 0; i < 300; ++i) bench.find("x" + std::to_string(i));
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 2);
  bench.replica.answer(0, Asked::Error);
  REQUIRE(bench.replica.flights.size() == 3);
  CHECK(bench.replica.flights[2].size() == Lookup::kBatchMax);
  bench.replica.answer(1, Asked::Error);
  REQUIRE(bench.replica.flights.size() == 4);
  CHECK(bench.replica.flights[3].size() == 300 - Lookup::kBatchMax);
}

TEST_CASE("of two questions under way either may be answered first, and each answer is for its own") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  bench.replica.links["b"] = {"http://b/"};
  for (const char* code : {"a", "b"}) {
    bench.find(code);
    bench.loop.settle();
  }
  bench.replica.answer(1, Asked::Hit);
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].target == "http://b/");
  bench.find("c");
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 3);
  bench.replica.answer(0, Asked::Hit);
  REQUIRE(bench.answers.size() == 2);
  CHECK(bench.answers[1].target == "http://a/");
  bench.replica.answer(2, Asked::Error);
  CHECK(bench.lookup.under_way() == 1);  // c, which the primary is asked for
}

TEST_CASE("a link that the replica does not know yet is found on the primary, never a 404") {
  Bench bench;
  bench.primary.links["new"] = {"http://new/"};
  bench.find("new");
  bench.loop.settle();
  bench.replica.answer();
  CHECK(bench.answers.empty());
  bench.loop.settle();
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::Found);
  CHECK(bench.count(AppCounter::Rescued) == 1);
  CHECK(bench.redis.proofs["new"] == Proof::Proven);
}

TEST_CASE("that a code does not exist is said when the primary said so, and only then") {
  struct Row {
    bool replica_is_up;
    Asked replica;
    bool primary_is_up;
    Asked primary;
    Outcome expected;
  };
  for (const Row& row : {
           Row{true, Asked::Hit, true, Asked::Hit, Outcome::NotFound},
           Row{false, Asked::Hit, true, Asked::Hit, Outcome::NotFound},
           Row{true, Asked::Timeout, true, Asked::Hit, Outcome::NotFound},
           Row{true, Asked::Hit, true, Asked::Timeout, Outcome::Unavailable},
           Row{true, Asked::Hit, true, Asked::Error, Outcome::Unavailable},
           Row{true, Asked::Hit, false, Asked::Hit, Outcome::Unavailable},
           Row{false, Asked::Hit, false, Asked::Hit, Outcome::Unavailable},
       }) {
    Bench bench;
    bench.replica.available = row.replica_is_up;
    bench.primary.available = row.primary_is_up;
    bench.find("absent");
    bench.loop.settle();
    if (row.replica_is_up) bench.replica.answer(row.replica);
    bench.loop.settle();
    if (!bench.primary.flights.empty()) bench.primary.answer(row.primary);
    REQUIRE(bench.answers.size() == 1);
    CHECK(bench.answers[0].outcome == row.expected);
  }
}

TEST_CASE("where there is no replica, what reads say is the primary's word") {
  Bench bench({.replica_is_primary = true});
  bench.find("absent");
  bench.loop.settle();
  bench.replica.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::NotFound);
  CHECK(bench.primary.flights.empty());
}

TEST_CASE("with Redis away, or none at all, the databases are asked") {
  for (const bool has_redis : {true, false}) {
    Bench bench({}, {}, has_redis);
    bench.redis.available = false;
    bench.replica.links["a"] = {"http://a/"};
    bench.find("a");
    bench.loop.settle();
    bench.replica.answer();
    REQUIRE(bench.answers.size() == 1);
    CHECK(bench.answers[0].outcome == Outcome::Found);
  }
}

TEST_CASE("what the replica said is kept as unproven, in memory and in Redis") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  bench.find("a");
  bench.loop.settle();
  bench.replica.answer();
  CHECK(bench.redis.proofs["a"] == Proof::Unproven);
  const CacheEntry* entry = bench.cache.find("a", bench.loop.now());
  REQUIRE(entry != nullptr);
  CHECK(entry->fresh_until - bench.loop.now() < 6s);
}

TEST_CASE("with everything away an old copy is served, but a deleted link stays deleted") {
  Bench bench({}, {.ttl = 0ms});
  bench.replica.available = bench.primary.available = bench.redis.available = false;
  bench.cache.fill("old", "http://old/", Proof::Proven, bench.loop.now(), 0.5);
  bench.cache.bury("gone", bench.loop.now(), 0.5);
  bench.find("old");
  bench.find("gone");
  bench.find("never");
  REQUIRE(bench.answers.size() == 3);
  CHECK(bench.answers[0].outcome == Outcome::Found);
  CHECK(bench.answers[0].target == "http://old/");
  CHECK(bench.answers[1].outcome == Outcome::Deleted);
  CHECK(bench.answers[2].outcome == Outcome::Unavailable);
  CHECK(bench.count(AppCounter::StaleServed) == 1);
}

TEST_CASE("a deletion while a look-up is under way is not undone by what that look-up saw") {
  Bench bench;
  bench.replica.links["a"] = {"http://a/"};
  bench.find("a");
  bench.loop.settle();
  bench.lookup.supersede("a");
  bench.cache.forget("a");
  bench.replica.answer();
  CHECK(bench.answers.size() == 1);
  CHECK(bench.cache.find("a", bench.loop.now()) == nullptr);
  CHECK(bench.redis.values.count("a") == 0);
}

TEST_CASE("a deleted link is remembered as deleted in memory and in Redis") {
  Bench bench;
  bench.replica.links["a"] = {"", true};
  bench.find("a");
  bench.loop.settle();
  bench.replica.answer();
  CHECK(bench.answers.at(0).outcome == Outcome::Deleted);
  CHECK(bench.redis.values.at("a").is_deleted);
  LookupAnswer at_hand;
  CHECK(bench.lookup.find_now("a", at_hand));
  CHECK(at_hand.outcome == Outcome::Deleted);
}

TEST_CASE("a target that would split a head is never served, and what Redis has of that kind is asked for below") {
  Bench bench;
  bench.redis.values["a"] = {"http://a/\r\nX: y"};
  bench.replica.links["a"] = {"http://a/"};
  bench.find("a");
  bench.loop.settle();
  bench.replica.answer();
  CHECK(bench.answers.at(0).outcome == Outcome::Found);
  CHECK(bench.answers.at(0).target == "http://a/");

  bench.replica.links["b"] = {"http://b/\r\nX: y"};
  bench.find("b");
  bench.loop.settle();
  bench.replica.answer();
  CHECK(bench.answers.at(1).outcome == Outcome::Unavailable);
  CHECK(bench.count(AppCounter::BadTargets) == 2);
}

TEST_CASE(
    "a scan of codes that do not exist spends the primary's budget and no more; the rest waits and is answered 503") {
  Bench bench({.primary_rate = 0.001, .primary_burst = 10, .proof_max = 20ms});
  bench.replica.available = false;
  for (int i = 0; i < 50; ++i) bench.find("x" + std::to_string(i));
  bench.loop.settle();
  REQUIRE(bench.primary.flights.size() == 1);
  CHECK(bench.primary.flights[0].size() == 10);
  CHECK(bench.count(AppCounter::PrimaryFallbackParked) == 40);
  CHECK(bench.answers.empty());
  while (bench.answers.size() < 40) uv_run(bench.loop.uv(), UV_RUN_ONCE);
  CHECK(bench.count(AppCounter::PrimaryFallbackRejected) == 40);
  for (const Answer& answer : bench.answers) CHECK(answer.outcome == Outcome::Unavailable);
}

TEST_CASE("who comes when the primary's word is under way already is not given it, should it be that there is none") {
  Bench bench;
  bench.replica.available = false;
  bench.find("slug");
  bench.loop.settle();
  bench.find("slug");  // between the two it may have been made
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::NotFound);
  bench.primary.links["slug"] = {"http://new/"};
  bench.loop.settle();
  bench.primary.answer();
  REQUIRE(bench.answers.size() == 2);
  CHECK(bench.answers[1].outcome == Outcome::Found);
}

TEST_CASE("a copy that is asked for is renewed before it is too old, and its hits do not prolong it") {
  Bench bench({}, {.ttl = 0ms});
  bench.redis.available = false;
  bench.replica.links["a"] = {"http://a/"};
  bench.cache.fill("a", "http://a/", Proof::Proven, bench.loop.now(), 0.5);
  CacheEntry* entry = bench.cache.find("a", bench.loop.now());
  entry->fresh_until = bench.loop.now() + 1s;  // and refresh_at is now
  LookupAnswer at_hand;
  CHECK(bench.lookup.find_now("a", at_hand));
  CHECK(bench.lookup.find_now("a", at_hand));
  CHECK(bench.cache.find("a", bench.loop.now())->fresh_until == bench.loop.now() + 1s);
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 1);
  CHECK(bench.replica.flights[0].size() == 1);
  bench.replica.answer();
  CHECK(bench.lookup.under_way() == 0);
  CHECK(bench.answers.empty());
}

TEST_CASE("more look-ups at once than are allowed are answered at once") {
  Bench bench({.under_way_max = 2});
  for (const char* code : {"a", "b", "c"}) bench.find(code);
  REQUIRE(bench.answers.size() == 1);
  CHECK(bench.answers[0].outcome == Outcome::Unavailable);
  bench.loop.settle();
}

TEST_CASE("a value of Redis that is not one of ours counts as none") {
  CHECK(parse_cached("+http://a/")->target == "http://a/");
  CHECK(parse_cached("+http://a/")->proof == Proof::Proven);
  CHECK(parse_cached("?http://a/")->proof == Proof::Unproven);
  CHECK(parse_cached("!d")->is_deleted);
  for (const char* other : {"", "+", "?", "!", "!x", "http://a/"}) CHECK_FALSE(parse_cached(other));
}
