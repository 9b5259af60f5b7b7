// The keys that say when a server is well: probes, what clients met, and whether it honours an Idempotency-Key.
// Thread: control.
#pragma once

#include "common/config/keys.h"
#include "lb/pool/settings.h"

namespace holdfast::lb {

void describe(Keys& keys, HealthSettings& health);
void describe(Keys& keys, PassiveSettings& passive);
void describe(Keys& keys, IdempotencyProbeSettings& probe);

}  // namespace holdfast::lb
