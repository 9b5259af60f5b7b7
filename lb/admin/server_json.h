// A server as the admin port tells of it.
// Thread: control.
#pragma once

#include "common/time_text.h"
#include "lb/health/monitor.h"

#include <chrono>
#include <nlohmann/json_fwd.hpp>

namespace holdfast::lb {

using Json = nlohmann::ordered_json;

Json server_json(const Server& server, const ServerHealth* health);
/// Why it is in its state, by which rule and numbers, what would change that, and what it gets of the traffic.
Json explain_json(const ServerPool& pool, const Server& server, const ServerHealth& health);

}  // namespace holdfast::lb
