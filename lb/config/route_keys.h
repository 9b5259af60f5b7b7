// The keys of routes: which pool takes which host and path.
// Thread: control.
#pragma once

#include "common/config/keys.h"
#include "lb/pool/settings.h"

#include <vector>

namespace holdfast::lb {

Keys::Added describe_routes(Keys& keys, std::vector<RouteSettings>& routes);

/// Routes without pool, to a pool that there is not, and those that were given before.
std::vector<WrongPart> wrong_routes(const std::vector<RouteSettings>& routes, const std::vector<PoolSettings>& pools);

}  // namespace holdfast::lb
