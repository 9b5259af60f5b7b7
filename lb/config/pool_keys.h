// The keys of a pool: its servers and how they are chosen, checked, retried and kept connected.
// Thread: control.
#pragma once

#include "common/config/keys.h"
#include "lb/pool/settings.h"

namespace holdfast::lb {

/// The keys of a pool; they stand at the top level too, where there is one pool without a name.
void describe_pool(Keys& keys, PoolSettings& pool);
void describe(Keys& keys, PoolSettings& pool);

}  // namespace holdfast::lb
