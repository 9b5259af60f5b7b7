#include "lb/pool/recent_latency.h"

namespace holdfast::lb {

void RecentLatency::turn(const HistogramSnapshot& all, TimePoint now) {
  older_ = newer_;
  newer_ = all;
  turned_ = now;
}

std::chrono::milliseconds RecentLatency::quantile(const HistogramSnapshot& all, double share) const {
  HistogramSnapshot recent = all;
  for (std::size_t i = 0; i < recent.buckets.size(); ++i) recent.buckets[i] -= older_.buckets[i];
  const double seconds = (recent.count() >= kEnough ? recent : all).quantile(share);
  return std::chrono::milliseconds(static_cast<long>(seconds * 1e3));
}

}  // namespace holdfast::lb
