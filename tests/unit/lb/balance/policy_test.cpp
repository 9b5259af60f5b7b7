#include "lb/balance/policy.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <map>
#include <string>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

PoolSettings settings_of(const std::vector<unsigned>& weights, PolicySettings policy = {}) {
  PoolSettings settings;
  settings.policy = std::move(policy);
  for (const unsigned weight : weights) {
    const std::string name(1, static_cast<char>('a' + settings.servers.size()));
    settings.servers.push_back({.name = name, .authority = name, .address = {}, .weight = weight});
  }
  return settings;
}

struct Fixture {
  explicit Fixture(const std::vector<unsigned>& weights, PolicySettings policy = {}, std::size_t workers = 1)
      : Fixture(settings_of(weights, std::move(policy)), workers) {}
  explicit Fixture(const PoolSettings& settings, std::size_t workers = 1)
      : pool(settings, workers), balancer(pool, 0, workers) {
    for (const auto& server : pool.servers()) server->publish(State::Healthy);
    tried.assign(settings.servers.size(), 0);
  }
  Server& server(std::size_t index) { return *pool.servers()[index]; }
  Pick pick(std::uint64_t key = 0) { return balancer.pick({.tried = tried, .key = key}); }
  std::string picks(int count) {
    std::string names;
    for (int i = 0; i < count; ++i) names += pick().server->name();
    return names;
  }
  /// How often each was picked of 100 000 times.
  std::vector<double> shares() {
    constexpr int kPicks = 100'000;
    std::vector<double> shares(tried.size(), 0);
    for (int i = 0; i < kPicks; ++i) shares[pick(mixed(static_cast<std::uint64_t>(i) + 1)).index] += 1;
    for (double& share : shares) share /= kPicks;
    return shares;
  }
  ServerPool pool;
  Balancer balancer;
  std::vector<std::uint8_t> tried;
};

const PolicySettings kLeast{.policy = Policy::LeastRequests, .source = {}, .name = {}};
const PolicySettings kRandom{.policy = Policy::Random, .source = {}, .name = {}};
const PolicySettings kFirst{.policy = Policy::First, .source = {}, .name = {}};
const PolicySettings kHash{.policy = Policy::Hash, .source = HashSource::Path, .name = {}};

}  // namespace

TEST_CASE("of 100 000 picks each server gets the share that its weight says, by every policy that shares") {
  for (const PolicySettings& policy : {PolicySettings{}, kLeast, kRandom, kHash}) {
    CAPTURE(policy.text());
    for (const std::vector<unsigned>& weights :
         {std::vector<unsigned>{1, 1, 1, 1}, std::vector<unsigned>{5, 1}, std::vector<unsigned>{10, 3, 1, 6}}) {
      Fixture fixture(weights, policy);
      double all = 0;
      for (const unsigned weight : weights) all += weight;
      const auto shares = fixture.shares();
      // Five standard deviations of a fair draw; round robin owes nobody a whole request.
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const double fair = weights[i] / all;
        const double allowed =
            policy.policy == Policy::RoundRobin ? 2e-5 : 5 * std::sqrt(fair * (1 - fair) / 100'000.0);
        CAPTURE(i);
        CHECK(std::abs(shares[i] - fair) <= allowed);
      }
    }
  }
}

TEST_CASE("servers of one weight take turns") {
  Fixture three({1, 1, 1});
  CHECK(three.picks(6) == three.picks(6));
  const std::string turn = three.picks(3);
  CHECK(std::string("abc").find_first_not_of(turn) == std::string::npos);
}

TEST_CASE("weights are not served in a row") {
  Fixture two({5, 1});
  const std::string names = two.picks(60);
  CHECK(std::count(names.begin(), names.end(), 'a') == 50);
  CHECK(names.find("aaaaaa") == std::string::npos);
  CHECK(names.find("bb") == std::string::npos);
}

TEST_CASE("a weight counts from the next pick on") {
  Fixture two({1, 1});
  two.server(0).publish_weight(3, 100);
  const std::string names = two.picks(400);
  CHECK(std::count(names.begin(), names.end(), 'a') == 300);
  two.server(0).publish_weight(1, 10);  // it starts slowly: a tenth of its weight
  const std::string later = two.picks(1100);
  CHECK(std::abs(std::count(later.begin(), later.end(), 'a') - 100) <= 2);
}

TEST_CASE("a healthy untried server comes before an unknown one, that before a tried one, and the rest never") {
  for (const PolicySettings& policy : {PolicySettings{}, kLeast, kRandom, kFirst, kHash}) {
    CAPTURE(policy.text());
    Fixture four({1, 1, 1, 1}, policy);
    four.server(0).publish(State::Unhealthy);
    four.server(1).publish(State::Unknown);
    CHECK(four.picks(40).find_first_of("ab") == std::string::npos);
    four.tried = {0, 0, 1, 1};
    CHECK(four.pick().server->name() == "b");
    CHECK(four.balancer.has_untried(four.tried));
    four.tried = {0, 1, 1, 1};
    CHECK_FALSE(four.balancer.has_untried(four.tried));
    const Pick again = four.pick();
    CHECK(again.is_repeat);
    CHECK(again.server->state() == State::Healthy);
  }
}

TEST_CASE("where no server may get a request none is picked") {
  Fixture one({1});
  for (const State state : {State::Unhealthy, State::Ejected, State::Draining, State::Down}) {
    one.server(0).publish(state);
    CHECK(one.pick().server == nullptr);
  }
}

TEST_CASE("backup servers get requests only while no other is healthy") {
  PoolSettings settings = settings_of({1, 1, 1});
  settings.servers[1].is_backup = settings.servers[2].is_backup = true;
  Fixture fixture(settings);
  CHECK(fixture.picks(10) == "aaaaaaaaaa");
  fixture.tried = {1, 0, 0};
  CHECK(fixture.pick().server->name() == "a");
  CHECK_FALSE(fixture.balancer.has_untried(fixture.tried));
  fixture.tried = {0, 0, 0};
  fixture.server(0).publish(State::Ejected);
  const std::string names = fixture.picks(10);
  CHECK(std::count(names.begin(), names.end(), 'b') == 5);
  CHECK(std::count(names.begin(), names.end(), 'c') == 5);
  CHECK(fixture.balancer.has_untried(fixture.tried));
  fixture.server(0).publish(State::Unknown);
  CHECK(fixture.pick().server->is_backup());
  fixture.server(0).publish(State::Healthy);
  CHECK(fixture.picks(10) == "aaaaaaaaaa");
}

TEST_CASE("round robin stays even across workers: no server is more than one request a worker ahead, at any time") {
  for (const std::size_t workers : {std::size_t{2}, std::size_t{4}, std::size_t{8}}) {
    for (const std::size_t servers : {std::size_t{2}, std::size_t{4}, std::size_t{8}}) {
      CAPTURE(workers);
      CAPTURE(servers);
      ServerPool pool(settings_of(std::vector<unsigned>(servers, 1)), workers);
      for (const auto& server : pool.servers()) server->publish(State::Healthy);
      const std::vector<std::uint8_t> tried(servers, 0);
      std::vector<Balancer> balancers;
      for (std::size_t i = 0; i < workers; ++i) balancers.emplace_back(pool, i, workers);
      std::vector<int> counts(servers, 0);
      for (int turn = 1; turn <= 100; ++turn) {
        for (Balancer& balancer : balancers) ++counts[balancer.pick({.tried = tried}).index];
        const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
        // Without the offsets all workers would meet the same server at each turn.
        const int allowed = static_cast<int>((workers + servers - 1) / servers);
        CHECK(*most - *least <= allowed);
      }
    }
  }
}

TEST_CASE("least_requests counts the requests of all workers, for the server's weight") {
  Fixture two({1, 1}, kLeast, 3);
  two.server(0).counters(2).in_flight.add(5);
  CHECK(two.picks(50) == std::string(50, 'b'));
  two.server(1).counters(1).in_flight.add(6);
  CHECK(two.picks(50) == std::string(50, 'a'));
  two.server(0).publish_weight(2, 100);
  two.server(0).counters(0).in_flight.add(6);  // 11 for a weight of 2, against 6 for 1
  CHECK(two.picks(50) == std::string(50, 'a'));
}

TEST_CASE("least_requests evens out what round robin would not: a slow server gets less") {
  // Each pick stays for a while: at server a four times as long as at the others.
  const auto most_at_a = [](const PolicySettings& policy) {
    Fixture four({1, 1, 1, 1}, policy);
    std::vector<std::pair<int, std::size_t>> ends;
    std::int64_t most = 0;
    for (int now = 0; now < 20'000; ++now) {
      std::erase_if(ends, [&](const auto& end) {
        if (end.first > now) return false;
        four.server(end.second).counters(0).in_flight.add(-1);
        return true;
      });
      const std::size_t picked = four.pick().index;
      four.server(picked).counters(0).in_flight.add(1);
      ends.emplace_back(now + (picked == 0 ? 160 : 40), picked);
      most = std::max(most, four.server(0).in_flight());
    }
    return most;
  };
  CHECK(most_at_a({}) == 40);
  CHECK(most_at_a(kLeast) < 28);
}

TEST_CASE("first takes the first that may, whatever the weights") {
  Fixture three({1, 9, 9}, kFirst);
  CHECK(three.picks(20) == std::string(20, 'a'));
  three.server(0).publish(State::Draining);
  CHECK(three.picks(20) == std::string(20, 'b'));
  three.tried = {0, 1, 0};
  CHECK(three.picks(20) == std::string(20, 'c'));
}

TEST_CASE("hash sends one key to one server, and a server that leaves moves no key but its own") {
  for (const std::vector<unsigned>& weights :
       {std::vector<unsigned>(10, 1), std::vector<unsigned>{1, 2, 3, 4, 5, 5, 4, 3, 2, 1}}) {
    Fixture ten(weights, kHash);
    constexpr std::uint64_t kKeys = 100'000;
    std::vector<std::size_t> before(kKeys);
    for (std::uint64_t key = 0; key < kKeys; ++key) before[key] = ten.pick(mixed(key + 1)).index;
    ten.server(3).publish(State::Unhealthy);
    std::uint64_t moved = 0;
    std::uint64_t moved_without_need = 0;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      const std::size_t now = ten.pick(mixed(key + 1)).index;
      if (now == before[key]) continue;
      ++moved;
      if (before[key] != 3) ++moved_without_need;
    }
    CHECK(moved_without_need == 0);
    double all = 0;
    for (const unsigned weight : weights) all += weight;
    CHECK(static_cast<double>(moved) <= 1.1 * weights[3] / all * kKeys);
    ten.server(3).publish(State::Healthy);
    for (std::uint64_t key = 0; key < kKeys; key += 97) {
      CHECK(ten.pick(mixed(key + 1)).index == before[key]);
    }
  }
}

TEST_CASE("hash does not depend on the order of the list nor on the worker") {
  PoolSettings settings = settings_of({1, 1, 1, 1}, kHash);
  Fixture ordered(settings);
  std::reverse(settings.servers.begin(), settings.servers.end());
  Fixture reversed(settings);
  for (std::uint64_t key = 1; key < 1000; ++key) {
    CHECK(ordered.pick(mixed(key)).server->name() == reversed.pick(mixed(key)).server->name());
  }
}

TEST_CASE("an attempt after the first goes to the next server of the key's order, the same each time") {
  Fixture four({1, 1, 1, 1}, kHash);
  const std::size_t first = four.pick(77).index;
  four.tried[first] = 1;
  const std::size_t second = four.pick(77).index;
  CHECK(second != first);
  CHECK(four.pick(77).index == second);
}
