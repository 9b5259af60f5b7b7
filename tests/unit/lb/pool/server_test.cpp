#include "lb/pool/server.h"

#include <doctest/doctest.h>

using namespace holdfast::lb;

TEST_CASE("a server without limit counts nobody") {
  Server server(ServerSettings{}, 0, 1);
  for (int i = 0; i < 1000; ++i) CHECK(server.take_slot() == Slot::Uncounted);
  server.free_slot(Slot::Uncounted);
  CHECK(server.has_room());
}

TEST_CASE("on trial there is one place, and those who came before it do not free it") {
  Server server(ServerSettings{}, 0, 1);
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
  Server server(settings, 0, 1);
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
