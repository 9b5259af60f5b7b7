// Who the client is, where a load balancer stands between: the last address in X-Forwarded-For that no trusted proxy
// has, for whoever wrote the ones before it may have written anything.
// Thread: any.
#pragma once

#include "common/http/server.h"
#include "common/net/address.h"

#include <string>
#include <vector>

namespace holdfast::app {

Address client_of(const HttpRequest& request, const std::vector<Network>& trusted_proxies);

/// It came by way of one of them.
bool is_from_proxy(const HttpRequest& request, const std::vector<Network>& trusted_proxies);

/// What counts as one client: the /24 of an IPv4 address, the /64 of an IPv6 one.
std::string network_of(const Address& address);

}  // namespace holdfast::app
