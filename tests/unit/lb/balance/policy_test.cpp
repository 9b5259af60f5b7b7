#include "lb/balance/policy.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <string>

using namespace holdfast::lb;

namespace {

PoolSettings settings_of(std::initializer_list<unsigned> weights) {
  PoolSettings settings;
  for (const unsigned weight : weights) {
    const std::string name(1, static_cast<char>('a' + settings.servers.size()));
    settings.servers.push_back({.name = name, .authority = name, .address = {}, .weight = weight});
  }
  return settings;
}

struct Fixture {
  explicit Fixture(std::initializer_list<unsigned> weights) : pool(settings_of(weights), 1), policy(pool, 0, 1) {
    for (const auto& server : pool.servers()) server->publish(State::Healthy);
    tried.assign(weights.size(), 0);
  }
  std::string picks(int count) {
    std::string names;
    for (int i = 0; i < count; ++i) names += policy.pick(tried).server->name();
    return names;
  }
  ServerPool pool;
  RoundRobin policy;
  std::vector<std::uint8_t> tried;
};

}  // namespace

TEST_CASE("servers of one weight take turns") {
  Fixture three({1, 1, 1});
  CHECK(three.picks(6) == three.picks(6));
  const std::string turn = three.picks(3);
  CHECK(std::string("abc").find_first_not_of(turn) == std::string::npos);
}

TEST_CASE("weights are shares, and are not served in a row") {
  Fixture two({5, 1});
  const std::string names = two.picks(60);
  CHECK(std::count(names.begin(), names.end(), 'a') == 50);
  CHECK(names.find("aaaaaa") == std::string::npos);
  CHECK(names.find("bb") == std::string::npos);
}

TEST_CASE("a healthy untried server comes before an unknown one, that before a tried one, and the rest never") {
  Fixture four({1, 1, 1, 1});
  const auto servers = four.pool.servers();
  servers[0]->publish(State::Unhealthy);
  servers[1]->publish(State::Unknown);
  CHECK(four.picks(4).find_first_of("ab") == std::string::npos);
  four.tried = {0, 0, 1, 1};
  CHECK(four.policy.pick(four.tried).server->name() == "b");
  CHECK(four.policy.has_untried(four.tried));
  four.tried = {0, 1, 1, 1};
  CHECK_FALSE(four.policy.has_untried(four.tried));
  const Pick again = four.policy.pick(four.tried);
  CHECK(again.is_repeat);
  CHECK(again.server->state() == State::Healthy);
}

TEST_CASE("where no server may get a request none is picked") {
  Fixture one({1});
  for (const State state : {State::Unhealthy, State::Ejected, State::Draining, State::Down}) {
    one.pool.servers()[0]->publish(state);
    CHECK(one.policy.pick(one.tried).server == nullptr);
  }
}

TEST_CASE("workers begin at different servers") {
  ServerPool pool(settings_of({1, 1, 1, 1}), 2);
  for (const auto& server : pool.servers()) server->publish(State::Healthy);
  const std::vector<std::uint8_t> tried(4, 0);
  CHECK(RoundRobin(pool, 0, 2).pick(tried).server != RoundRobin(pool, 1, 2).pick(tried).server);
}
