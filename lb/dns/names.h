// Servers given by name: each name is looked up again and again, and its addresses are shared out among the servers
// that stand for it. An address that the name no longer has is drained, and its place goes to another one when nobody
// is connected to it any more. Thread: control.
#pragma once

#include "common/net/resolver.h"
#include "lb/health/monitor.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::lb {

/// Which place has which address; pure.
struct AddressPlan {
  std::vector<std::size_t> leave;  // these places' addresses are gone
  std::vector<std::size_t> keep;   // gone they were, and are back
  std::vector<std::pair<std::size_t, Address>> take;
  std::size_t without_place = 0;  // addresses that found none
};
/// What a place has now.
struct AddressPlace {
  Address address;
  Resolution resolution = Resolution::None;
};
AddressPlan plan_addresses(const std::vector<AddressPlace>& places, const std::vector<Address>& wanted);

/// All names of one snapshot.
class Names {
 public:
  Names(Loop& loop, TimeoutClass& timeouts, const Snapshot& snapshot, HealthMonitor& health);

  /// Begins to look them up. What they were at the start is known.
  void start();

 private:
  /// One name in one pool.
  struct Name {
    Name(Names& names, const ServerPool& pool, std::string authority);
    void look_up();
    void on_resolved(const Result<std::vector<Address>>& resolved);
    void free_places();
    /// Until the next look: soon while it has no address at all.
    std::chrono::milliseconds next_look() const;

    Names& names;
    const ServerPool& pool;
    std::string authority;
    std::vector<ServerHealth*> places;
    Resolver resolver;
    Timeout due;
    Timeout free_due;
    bool is_failing = false;
  };

  Loop& loop_;
  TimeoutClass& timeouts_;
  std::vector<std::unique_ptr<Name>> names_;
};

}  // namespace holdfast::lb
