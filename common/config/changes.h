// What one configuration says otherwise than another, key by key. Thread: any.
#pragma once

#include "common/config/keys.h"

#include <string>
#include <vector>

namespace holdfast {

struct ConfigChange {
  std::string key;     // with its sections: `pools.web.health.interval`; a list is one value
  std::string before;  // empty: it was not there. Of secrets `(hidden)`
  std::string after;   // empty: it is not there any more
};

/// In the order of the keys' names.
std::vector<ConfigChange> config_changes(const Keys& before, const Keys& after);

}  // namespace holdfast
