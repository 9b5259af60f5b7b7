#include "lb/exchange/hedge_plan.h"

#include <algorithm>

namespace holdfast::lb {

bool HedgePlan::takes(Method method) const {
  const auto& methods = settings_.methods;
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

std::optional<std::chrono::milliseconds> HedgePlan::after(TimePoint now) {
  if (settings_.quantile == 0) return settings_.after;
  if (now < looked_ + kLookAgain) return quantile_;
  looked_ = now;
  const HistogramSnapshot all = seen();
  if (latency_.is_due(now)) latency_.turn(all, now);
  quantile_.reset();
  if (all.count() >= RecentLatency::kEnough) quantile_ = latency_.quantile(all, settings_.quantile);
  return quantile_;
}

/// By this worker, of all servers of the pool.
HistogramSnapshot HedgePlan::seen() const {
  HistogramSnapshot all;
  for (const auto& server : pool_.servers()) all += server->counters()[worker_]->first_byte.snapshot();
  return all;
}

}  // namespace holdfast::lb
