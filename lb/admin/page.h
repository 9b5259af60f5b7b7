// The status page for a browser: a table that needs no script.
// Thread: control.
#pragma once

#include "lb/admin/request_rates.h"
#include "lb/health/monitor.h"
#include "lb/pool/snapshot.h"

#include <string>

namespace holdfast::lb {

std::string status_page(const Snapshot& snapshot, const HealthMonitor& health, const RequestRates& rates);

}  // namespace holdfast::lb
