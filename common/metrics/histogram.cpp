#include "common/metrics/histogram.h"

namespace holdfast {

double HistogramSnapshot::quantile(double share) const {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const double rank = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < kLatencyBoundsUs.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (below + here >= rank && here > 0) {
      const double lower = i == 0 ? 0 : static_cast<double>(kLatencyBoundsUs[i - 1]);
      const auto upper = static_cast<double>(kLatencyBoundsUs[i]);
      return (lower + (upper - lower) * (rank - below) / here) / 1e6;
    }
    below += here;
  }
  return static_cast<double>(kLatencyBoundsUs.back()) / 1e6;
}

}  // namespace holdfast
