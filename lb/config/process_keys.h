// The keys of lb as a whole: where it listens, its bounds and time-outs, its logs, its end.
// Thread: control.
#pragma once

#include "common/config/keys.h"
#include "lb/pool/settings.h"

namespace holdfast::lb {

/// All keys of the top level, but those of pools.
void describe_process(Keys& keys, Settings& settings);

}  // namespace holdfast::lb
