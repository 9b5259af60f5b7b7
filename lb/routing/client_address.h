// Who asks, as far as we believe it.
// Thread: any.
#pragma once

#include "common/http/head.h"

#include <string_view>

namespace holdfast::lb {

/// The address of the client: whom a trusted peer names last in X-Forwarded-For, else the peer itself.
std::string_view client_address(const RequestHead& head, std::string_view peer, bool is_trusted);

}  // namespace holdfast::lb
