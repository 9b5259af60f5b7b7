#include "lb/dns/names.h"

#include "common/log.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

/// While places are to be freed they are looked at this often. A worker that has chosen a server and not yet said so is
/// long done by then.
constexpr std::chrono::milliseconds kFreeEvery{250};
/// A name without address is looked up this often at least.
constexpr std::chrono::milliseconds kWithout{1000};

}  // namespace

AddressPlan plan_addresses(const std::vector<AddressPlace>& places, const std::vector<Address>& wanted) {
  AddressPlan plan;
  std::vector<Address> placeless = wanted;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].resolution == Resolution::None) continue;
    const auto found = std::find(placeless.begin(), placeless.end(), places[i].address);
    const bool is_wanted = found != placeless.end();
    if (is_wanted) placeless.erase(found);
    if (is_wanted && places[i].resolution == Resolution::Left) plan.keep.push_back(i);
    if (!is_wanted && places[i].resolution == Resolution::Has) plan.leave.push_back(i);
  }
  std::size_t next = 0;
  for (const Address& address : placeless) {
    while (next < places.size() && places[next].resolution != Resolution::None) ++next;
    if (next == places.size()) {
      ++plan.without_place;
    } else {
      plan.take.emplace_back(next++, address);
    }
  }
  return plan;
}

Names::Names(Loop& loop, TimeoutClass& timeouts, const Snapshot& snapshot, HealthMonitor& health)
    : loop_(loop), timeouts_(timeouts) {
  for (const auto& pool : snapshot.pools) {
    if (pool->settings().dns.refresh.count() == 0) continue;
    Name* name = nullptr;
    for (const auto& server : pool->servers()) {
      if (!server->is_resolved()) continue;
      // The places of one name stand side by side, the first of them under its own name.
      const bool is_first = name == nullptr || name->authority != server->authority() ||
                            !server->name().ends_with("@" + std::to_string(name->places.size() + 1));
      if (is_first) name = names_.emplace_back(std::make_unique<Name>(*this, *pool, server->authority())).get();
      name->places.push_back(health.find(pool->name(), server->name()));
    }
  }
}

void Names::start() {
  for (const auto& name : names_) timeouts_.arm(name->due, name->next_look());
}

Names::Name::Name(Names& all, const ServerPool& its_pool, std::string its_authority)
    : names(all),
      pool(its_pool),
      authority(std::move(its_authority)),
      resolver(all.loop_),
      due(Timeout::calling<&Name::look_up>(this)),
      free_due(Timeout::calling<&Name::free_places>(this)) {}

std::chrono::milliseconds Names::Name::next_look() const {
  const auto refresh = pool.settings().dns.refresh;
  const bool has_any = std::any_of(places.begin(), places.end(), [](const ServerHealth* place) {
    return place->facts().resolution != Resolution::None;
  });
  return has_any ? refresh : std::min(refresh, kWithout);
}

void Names::Name::look_up() {
  resolver.start(authority, [this](const Result<std::vector<Address>>& resolved) { on_resolved(resolved); });
}

void Names::Name::on_resolved(const Result<std::vector<Address>>& resolved) {
  if (!resolved) {
    names.timeouts_.arm(due, next_look());
    // DNS that fails says nothing about the servers.
    if (!std::exchange(is_failing, true)) {
      log::warn("name not resolved", log::Fields{{"pool", pool.name()},
                                                 {"name", authority},
                                                 {"why", resolved.error().why},
                                                 {"now", "what is known of it is used on"}});
    }
    return;
  }
  if (std::exchange(is_failing, false)) log::info("name resolved again", {{"pool", pool.name()}, {"name", authority}});
  std::vector<AddressPlace> now;
  for (const ServerHealth* place : places) now.push_back({place->server().address(), place->facts().resolution});
  const AddressPlan plan = plan_addresses(now, *resolved);
  // Those that come first: so there is no moment with none.
  for (const auto& [place, address] : plan.take) places[place]->take_address(address);
  for (const std::size_t place : plan.keep) places[place]->keep_address();
  for (const std::size_t place : plan.leave) places[place]->leave_address();
  if (plan.without_place > 0) {
    log::warn_limited("addresses left out", authority,
                      log::Fields{{"pool", pool.name()},
                                  {"name", authority},
                                  {"count", plan.without_place},
                                  {"do", "raise dns_addresses, or wait until those that left are drained"}});
  }
  names.timeouts_.arm(due, next_look());
  if (!plan.leave.empty()) names.timeouts_.arm(free_due, kFreeEvery);
}

void Names::Name::free_places() {
  bool is_any_left = false;
  for (ServerHealth* place : places) {
    if (place->facts().resolution != Resolution::Left) continue;
    if (place->server().connections() == 0 && place->server().in_flight() == 0) {
      place->free_address();
    } else {
      is_any_left = true;
    }
  }
  if (is_any_left) names.timeouts_.arm(free_due, kFreeEvery);
}

}  // namespace holdfast::lb
