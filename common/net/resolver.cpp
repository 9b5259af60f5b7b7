#include "common/net/resolver.h"

#include <netdb.h>
#include <memory>

namespace holdfast {

Result<Address> resolve_now(const std::string& host_port) {
  if (const auto address = Address::parse(host_port)) return address;
  const auto parts = split_host_port(host_port);
  if (!parts) return tl::unexpected(parts.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string host(parts->host);
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
    return failure(Code::BadAddress, Side::Self, "the name has no address; is it spelt right, and does its host run?");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  return Address::from(found->ai_addr).with_port(parts->port);
}

}  // namespace holdfast
