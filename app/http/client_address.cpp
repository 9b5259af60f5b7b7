#include "app/http/client_address.h"

#include "common/http/forwarded_client.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>

namespace holdfast::app {
Address client_of(const HttpRequest& request, const std::vector<Network>& trusted_proxies) {
  if (!is_from_proxy(request, trusted_proxies)) return request.client;
  return forwarded_client(request.head, trusted_proxies).value_or(request.client);
}

bool is_from_proxy(const HttpRequest& request, const std::vector<Network>& trusted_proxies) {
  return Network::any_contains(trusted_proxies, request.client);
}

std::string network_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.raw()->sa_family == AF_INET6) {
    in6_addr bytes = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
    std::memset(&bytes.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &bytes, text.data(), text.size());
    return std::string(text.data()) + "/64";
  }
  if (address.raw()->sa_family != AF_INET) return "unknown";
  in_addr bytes = reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr;
  bytes.s_addr &= htonl(0xffffff00);
  inet_ntop(AF_INET, &bytes, text.data(), text.size());
  return std::string(text.data()) + "/24";
}

}  // namespace holdfast::app
