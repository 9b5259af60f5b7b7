#include "lb/dns/names.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

Address at(int last) { return *Address::parse("10.0.0." + std::to_string(last) + ":80"); }

using Places = std::vector<AddressPlace>;
using Indices = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a name whose addresses stay changes nothing, in whatever order they come") {
  const Places places{{at(1), Resolution::Has}, {at(2), Resolution::Has}, {{}, Resolution::None}};
  const AddressPlan plan = plan_addresses(places, {at(2), at(1)});
  CHECK(plan.leave.empty());
  CHECK(plan.keep.empty());
  CHECK(plan.take.empty());
  CHECK(plan.without_place == 0);
}

TEST_CASE("a new address takes a free place, and not the one of an address that is being left") {
  const Places places{{at(1), Resolution::Has}, {at(2), Resolution::Left}, {{}, Resolution::None}};
  const AddressPlan plan = plan_addresses(places, {at(3)});
  CHECK(plan.leave == Indices{0});
  REQUIRE(plan.take.size() == 1);
  CHECK(plan.take[0].first == 2);
  CHECK(plan.take[0].second == at(3));
}

TEST_CASE("an address that comes back before it was drained is kept") {
  const AddressPlan plan = plan_addresses({{at(1), Resolution::Left}}, {at(1)});
  CHECK(plan.keep == Indices{0});
  CHECK(plan.take.empty());
}

TEST_CASE("a place that was freed is another address's, even with the same one in it") {
  const AddressPlan plan = plan_addresses({{at(1), Resolution::None}}, {at(1)});
  REQUIRE(plan.take.size() == 1);
  CHECK(plan.take[0].first == 0);
}

TEST_CASE("addresses beyond the places are counted") {
  const AddressPlan plan =
      plan_addresses({{at(1), Resolution::Has}, {{}, Resolution::None}}, {at(1), at(2), at(3), at(4)});
  CHECK(plan.take.size() == 1);
  CHECK(plan.without_place == 2);
}

TEST_CASE("a name is as many servers as it may have addresses, each with a name of its own") {
  ServerSettings server;
  server.name = "app";
  server.authority = "app.example:80";
  server.is_name = true;
  server.resolved = {at(1), at(2)};
  const auto slots = slots_of(server, {.refresh = 1s, .addresses = 3});
  REQUIRE(slots.size() == 3);
  CHECK(slots[0].name == "app");
  CHECK(slots[1].name == "app@2");
  CHECK(slots[1].address == at(2));
  CHECK_FALSE(slots[2].address.is_set());
  CHECK(slots_of(server, {.refresh = 0s, .addresses = 3}).size() == 2);
  CHECK(slots_of(server, {.refresh = 0s, .addresses = 1}).size() == 1);
  server.resolved.clear();
  CHECK(slots_of(server, {.refresh = 1s, .addresses = 3}).size() == 3);
  server.is_name = false;
  server.address = at(9);
  CHECK(slots_of(server, {.refresh = 1s, .addresses = 3}).size() == 1);
}
