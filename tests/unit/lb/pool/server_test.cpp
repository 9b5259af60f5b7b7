#include "lb/pool/server.h"

#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

using namespace holdfast::lb;

TEST_CASE("a server without limit counts nobody") {
  Server server(ServerSettings{}, 1);
  for (int i = 0; i < 1000; ++i) CHECK(server.take_slot() == Slot::Uncounted);
  server.free_slot(Slot::Uncounted);
  CHECK(server.has_room());
}

TEST_CASE("on trial there is one place, and those who came before it do not free it") {
  Server server(ServerSettings{}, 1);
  const Slot before = server.take_slot();
  server.begin_trial();
  CHECK(server.take_slot() == Slot::Counted);
  CHECK_FALSE(server.has_room());
  CHECK(server.take_slot() == Slot::None);
  server.free_slot(before);
  CHECK(server.take_slot() == Slot::None);
  server.free_slot(Slot::Counted);
  CHECK(server.take_slot() == Slot::Counted);
  server.end_trial();
  CHECK(server.take_slot() == Slot::Uncounted);
  server.free_slot(Slot::Counted);
  server.begin_trial();
  CHECK(server.take_slot() == Slot::Counted);
}

TEST_CASE("a trial leaves those in their places who have them, and never lifts a limit") {
  ServerSettings settings;
  settings.max_requests = 2;
  Server server(settings, 1);
  CHECK(server.take_slot() == Slot::Counted);
  server.begin_trial();
  CHECK(server.take_slot() == Slot::Counted);
  CHECK(server.take_slot() == Slot::None);
  server.free_slot(Slot::Counted);
  server.free_slot(Slot::Counted);
  server.end_trial();
  CHECK(server.take_slot() == Slot::Counted);
  CHECK(server.take_slot() == Slot::Counted);
  server.begin_trial();
  CHECK(server.take_slot() == Slot::None);
}

namespace {

ServerSettings at(const std::string& authority, unsigned weight = 1, unsigned max_requests = 0) {
  ServerSettings settings;
  settings.name = settings.authority = authority;
  settings.address = *holdfast::Address::parse(authority);
  settings.weight = weight;
  settings.max_requests = max_requests;
  return settings;
}

PoolSettings pool_of(std::vector<ServerSettings> servers) {
  PoolSettings settings;
  settings.servers = std::move(servers);
  return settings;
}

}  // namespace

TEST_CASE("servers that a pool names again are the same ones, wherever they stand in the list") {
  ServerPool before(pool_of({at("127.0.0.1:1"), at("127.0.0.1:2")}), 2);
  before.servers()[1]->publish(State::Healthy);
  before.counters(0).requests.add();
  ServerPool after(pool_of({at("127.0.0.1:3"), at("127.0.0.1:2")}), 2, &before);
  CHECK(after.servers()[1] == before.servers()[1]);
  CHECK(after.servers()[0]->state() == State::Unknown);
  CHECK(after.counters(0).requests.value() == 1);
  ServerPool twice(pool_of({at("127.0.0.1:2"), at("127.0.0.1:2")}), 2, &before);
  CHECK(twice.servers()[0] != twice.servers()[1]);
}

TEST_CASE(
    "a server takes what the next configuration says of it, and keeps the operator's weight where it says nothing "
    "new") {
  ServerPool first(pool_of({at("127.0.0.1:1", 2)}), 1);
  Server& server = *first.servers()[0];
  server.publish_weight(9, 100);
  ServerPool second(pool_of({at("127.0.0.1:1", 2, 1)}), 1, &first);
  CHECK(server.weight() == 9);
  CHECK(server.take_slot() == Slot::Counted);
  CHECK_FALSE(server.has_room());
  ServerPool third(pool_of({at("127.0.0.1:1", 3)}), 1, &second);
  CHECK(server.weight() == 3);
  CHECK(server.take_slot() == Slot::Uncounted);
}
