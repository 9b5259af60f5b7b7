#include "lb/admin/request_rates.h"

#include <utility>

namespace holdfast::lb {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::chrono::seconds kTooLong{10};

std::string key(const ServerPool& pool, const Server& server) { return pool.name() + '/' + server.name(); }

}  // namespace

std::uint64_t requests_of(const Server& server) {
  std::uint64_t requests = 0;
  for (const auto& counters : server.counters()) requests += counters->requests.value();
  return requests;
}

void RequestRates::look(const Snapshot& snapshot, TimePoint now) {
  const auto since = now - looked_;
  if (!seen_.empty() && since < kLookEvery) return;
  const std::map<std::string, Seen> before = std::exchange(seen_, {});
  looked_ = now;
  for (const auto& pool : snapshot.pools) {
    for (const auto& server : pool->servers()) {
      Seen& seen = seen_[key(*pool, *server)];
      seen.requests = requests_of(*server);
      const auto known = before.find(key(*pool, *server));
      // Fewer than before: it left and came back, and counts from nothing.
      if (since > kTooLong || known == before.end() || known->second.requests > seen.requests) continue;
      seen.per_second =
          static_cast<double>(seen.requests - known->second.requests) / std::chrono::duration<double>(since).count();
    }
  }
}

std::optional<double> RequestRates::of(const ServerPool& pool, const Server& server) const {
  const auto known = seen_.find(key(pool, server));
  return known == seen_.end() ? std::nullopt : known->second.per_second;
}

}  // namespace holdfast::lb
