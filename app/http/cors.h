// The fields by which a browser lets a page from elsewhere call the API (the CORS protocol of the Fetch standard).
// Credentials are never allowed: a key is sent as a field, on purpose.
// Thread: any.
#pragma once

#include "app/http/reply.h"
#include "common/http/head.h"

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// Adds what the answer to this request needs; `methods` are those of its path.
void add_cors(Reply& reply, const RequestHead& head, std::string_view methods, const std::vector<std::string>& origins);

}  // namespace holdfast::app
