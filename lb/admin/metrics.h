// What lb counts, as Prometheus sees it: one table of names, summed over the workers at each scrape.
// Thread: control.
#pragma once

#include "common/metrics/registry.h"
#include "lb/access_log/access_log.h"
#include "lb/health/monitor.h"
#include "lb/metrics.h"
#include "lb/pool/snapshot.h"
#include "lb/reload.h"

#include <functional>
#include <memory>
#include <vector>

namespace holdfast::lb {

/// What there is to scrape.
struct MetricSources {
  const Snapshot& snapshot;
  const HealthMonitor& health;
  const Reload& reload;
  const AccessLog* access_log;  // null: none is kept
  std::vector<const WorkerCounters*> workers;
  std::function<bool()> is_draining;
};

void collect_lb(Scrape& scrape, const MetricSources& sources);

}  // namespace holdfast::lb
