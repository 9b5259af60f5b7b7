// Names to addresses.
#pragma once

#include "common/net/address.h"
#include "common/result.h"

#include <string>

namespace holdfast {

/// The first address of `host:port`; an IP address is taken as it is. Blocks as long as the system's resolver does: for
/// start-up, never on a loop that serves.
Result<Address> resolve_now(const std::string& host_port);

}  // namespace holdfast
