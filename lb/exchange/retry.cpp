#include "lb/exchange/retry.h"

#include "common/http/rules.h"

#include <algorithm>

namespace holdfast::lb {

bool is_repeatable(const RequestHead& head) {
  const Field* key = head.find(FieldId::IdempotencyKey);
  return is_idempotent(head.method) || (key != nullptr && !key->value.empty());
}

bool is_retried_status(std::span<const StatusRange> statuses, int status) {
  return std::any_of(statuses.begin(), statuses.end(), [status](StatusRange range) { return range.contains(status); });
}

std::chrono::milliseconds retry_pause(unsigned rounds, double dice) {
  constexpr double kFirstMs = 10;
  constexpr double kLastMs = 250;
  const double full =
      std::min(kLastMs, kFirstMs * static_cast<double>(1U << std::min(rounds == 0 ? 0 : rounds - 1, 10U)));
  return std::chrono::milliseconds(static_cast<long>(full * (1 - dice / 2)));
}

std::chrono::milliseconds connect_timeout(std::chrono::milliseconds configured, std::chrono::milliseconds left,
                                          std::size_t servers_left) {
  if (left.count() <= 0) return configured;  // a first attempt that is made though the deadline is over, or 0
  const auto share = left / static_cast<long>(std::max<std::size_t>(servers_left, 1));
  return std::clamp(share, std::chrono::milliseconds(1), std::max(configured, std::chrono::milliseconds(1)));
}

}  // namespace holdfast::lb
