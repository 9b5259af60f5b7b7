#include "app/links/lookup.h"

#include "app/links/redis_cache.h"

#include <doctest/doctest.h>
#include <uv.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

struct Link {
  std::string target;
  bool is_deleted = false;
};

/// A database that answers when the test says so.
class FakeDatabase final : public LinkDatabase, public ReplicaDatabase {
 public:
  using Receiver = LinkDatabase::Receiver;
  explicit FakeDatabase(Tier its_tier) : tier(its_tier) {}
  bool is_available() const override { return available; }
  void ask(const std::vector<std::string_view>& codes, Receiver& receiver) override {
    flights.emplace_back(codes.begin(), codes.end());
    receiver_ = &receiver;
  }
  void ask(const std::vector<std::string_view>& codes, std::uint64_t lsn_min, Receiver& receiver) override {
    if (lsn_min > lsn) return receiver.on_rows(tier, Asked::Skipped, {});
    ask(codes, receiver);
  }
  std::uint64_t replayed() const override { return lsn; }
  std::uint64_t replayed_by_all() const override { return lsn; }
  void hurry() override {}
  /// Lands the last flight.
  void answer(Asked asked = Asked::Hit) {
    std::vector<FoundLink> rows;
    for (const std::string& code : flights.back()) {
      const auto found = links.find(code);
      if (found != links.end()) rows.push_back({found->first, found->second.target, found->second.is_deleted});
    }
    receiver_->on_rows(tier, asked, asked == Asked::Hit ? rows : std::vector<FoundLink>{});
  }

  Tier tier;
  bool available = true;
  std::uint64_t lsn = 1000;
  std::map<std::string, Link, std::less<>> links;
  std::vector<std::vector<std::string>> flights;

 private:
  Receiver* receiver_ = nullptr;
};

/// A Redis that answers at once.
class FakeShared final : public SharedCache {
 public:
  bool is_available() const override { return available; }
  bool ask(std::string_view code, Receiver& receiver) override {
    if (!available) return false;
    const auto found = values.find(code);
    if (found == values.end()) {
      receiver.on_cached(code, Asked::Miss, {}, Proof::Unproven);
    } else {
      receiver.on_cached(code, Asked::Hit, {code, found->second.target, found->second.is_deleted}, Proof::Proven);
    }
    return true;
  }
  void fill(std::string_view code, std::string_view target, Proof proof) override {
    values.try_emplace(std::string(code), Link{std::string(target)});
    proofs[std::string(code)] = proof;
  }
  void put(std::string_view code, std::string_view target, std::function<void()> done) override {
    values[std::string(code)] = {std::string(target)};
    done();
  }
  void bury(std::string_view code, std::function<void()> done) override {
    values[std::string(code)] = {{}, true};
    if (done) done();
  }
  void forget(std::string_view code, std::function<void()> done) override {
    values.erase(std::string(code));
    if (done) done();
  }

  bool available = true;
  std::map<std::string, Link, std::less<>> values;
  std::map<std::string, Proof> proofs;
};

struct Answer {
  Outcome outcome;
  std::string target;
};

class Waiter final : public LookupWaiter {
 public:
  explicit Waiter(std::vector<Answer>& answers) : answers_(answers) {}
  void on_looked_up(const LookupAnswer& answer) override {
    answers_.push_back({answer.outcome, std::string(answer.target)});
  }

 private:
  std::vector<Answer>& answers_;
};

struct Bench {
  explicit Bench(LookupSettings settings = {}, CacheSettings cache_settings = {}, bool has_redis = true)
      : cache(cache_settings),
        lookup(loop, timeouts, settings, cache, has_redis ? &redis : nullptr, replica, primary, *counters) {}
  ~Bench() { loop.settle(); }

  void find(std::string_view code) { lookup.find(code, std::make_unique<Waiter>(answers)); }
  std::uint64_t count(AppCounter counter) { return (*counters)[counter].value(); }

  Loop loop;
  Timeouts timeouts{loop};
  std::unique_ptr<AppCounters> counters = std::make_unique<AppCounters>();
  LinkCache cache;
  FakeShared redis;
  FakeDatabase replica{Tier::Replica};
  FakeDatabase primary{Tier::Primary};
  Lookup lookup;
  std::vector<Answer> answers;
};

}  // namespace

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

TEST_CASE("while one question is under way the next gathers, and goes out when the first is answered") {
  Bench bench;
  bench.find("a");
  bench.loop.settle();
  for (int i = 0; i < 300; ++i) bench.find("x" + std::to_string(i));
  bench.loop.settle();
  REQUIRE(bench.replica.flights.size() == 1);
  bench.replica.answer(Asked::Error);
  REQUIRE(bench.replica.flights.size() == 2);
  CHECK(bench.replica.flights[1].size() == Lookup::kBatchMax);
  bench.replica.answer(Asked::Error);
  REQUIRE(bench.replica.flights.size() == 3);
  CHECK(bench.replica.flights[2].size() == 300 - Lookup::kBatchMax);
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
  REQUIRE(bench.answers.size() == 2);
  for (const Answer& answer : bench.answers) {
    CHECK((answer.outcome == Outcome::Found) == (answer.target == "http://a/"));
    CHECK(answer.outcome != Outcome::NotFound);
  }
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

TEST_CASE("a change is recent for a while, and their number is bounded") {
  RecentChanges recent(10s, 3);
  const TimePoint begin{1'000'000ms};
  recent.add("a", begin);
  recent.add("a", begin + 5s);
  CHECK(recent.has("a", begin + 14s));
  CHECK_FALSE(recent.has("a", begin + 16s));
  CHECK_FALSE(recent.has("b", begin));
  for (const char* code : {"b", "c", "d", "e"}) recent.add(code, begin + 20s);
  CHECK_FALSE(recent.has("b", begin + 20s));
  CHECK(recent.has("e", begin + 20s));
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
