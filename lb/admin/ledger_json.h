// GET /ledger: the sum over all pools, and each pool's.
// Thread: control.
#pragma once

#include "lb/admin/server_json.h"

namespace holdfast::lb {

Json ledger_json(const Snapshot& snapshot);

}  // namespace holdfast::lb
