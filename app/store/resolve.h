// Host names of stores: libpq and hiredis would block a loop to look them up, so they are given addresses.
// Thread: any.
#pragma once

#include "common/net/resolver.h"

#include <string>
#include <vector>

namespace holdfast::app {

/// True for an IPv4 or IPv6 address in numbers, and for the path of a Unix socket: nothing to look up.
bool is_resolved(const std::string& host);

/// The first few of `addresses`, as libpq and hiredis take them.
std::vector<std::string> in_numbers(const std::vector<Address>& addresses);

}  // namespace holdfast::app
