// The client that trusted proxies name in X-Forwarded-For.
// Thread: any. Pure.
#pragma once

#include "common/http/head.h"
#include "common/net/address.h"

#include <optional>
#include <span>

namespace holdfast {

/// Returns the last address in X-Forwarded-For that none of `proxies` has, since a client may have invented those
/// before it; the first address if all are proxies'. An entry that is no address, such as `unknown`, ends the search. A
/// port is ignored. Returns nothing if there is no address. Requires: the peer that sent the request is one of
/// `proxies`.
std::optional<Address> forwarded_client(const MessageHead& head, std::span<const Network> proxies);

}  // namespace holdfast
