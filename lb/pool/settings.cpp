#include "lb/pool/settings.h"

#include <algorithm>

namespace holdfast::lb {

std::string PolicySettings::text() const {
  switch (policy) {
    case Policy::RoundRobin:
      return "round_robin";
    case Policy::LeastRequests:
      return "least_requests";
    case Policy::Random:
      return "random";
    case Policy::First:
      return "first";
    case Policy::Hash:
      break;
  }
  switch (source) {
    case HashSource::ClientIp:
      return "hash client_ip";
    case HashSource::Path:
      return "hash path";
    case HashSource::Header:
      return "hash header " + name;
    case HashSource::Cookie:
      return "hash cookie " + name;
  }
  return "";
}

std::vector<ServerSettings> slots_of(const ServerSettings& server, const DnsSettings& dns) {
  if (!server.is_name) return {server};
  const std::size_t most = dns.addresses;
  const std::size_t count = dns.refresh.count() == 0 ? std::min(server.resolved.size(), most) : most;
  std::vector<ServerSettings> slots(count, server);
  for (std::size_t i = 0; i < count; ++i) {
    slots[i].place = i;
    if (i > 0) slots[i].name += "@" + std::to_string(i + 1);
    slots[i].address = i < server.resolved.size() ? server.resolved[i] : Address{};
  }
  return slots;
}

}  // namespace holdfast::lb
