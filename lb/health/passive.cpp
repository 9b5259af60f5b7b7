#include "lb/health/passive.h"

#include "common/units.h"

#include <algorithm>

namespace holdfast::lb {

std::optional<PassiveHealth::Ejection> PassiveHealth::on_failures(AttemptResult result, std::uint64_t count,
                                                                  TimePoint now) {
  if (count == 0 || !is_failure(result) || settings_.max_fails == 0) return std::nullopt;
  if (now < last_ejection_end_) return std::nullopt;  // what comes in late belongs to the ejection that it led to
  if (result == AttemptResult::Refused) return eject(now, "connection refused to a client's request");
  while (!recent_.empty() && recent_.front() + settings_.fail_window <= now) recent_.pop_front();
  for (std::uint64_t i = 0; i < count && recent_.size() < settings_.max_fails; ++i) recent_.push_back(now);
  if (recent_.size() < settings_.max_fails) return std::nullopt;
  return eject(now, std::to_string(settings_.max_fails) + " failures in " + print_duration(settings_.fail_window) +
                        ", the last: " + std::string(attempt_result_name(result)));
}

PassiveHealth::Ejection PassiveHealth::eject(TimePoint now, std::string reason) {
  // In a row: begun again within the longest time after the last one ended.
  if (now > last_ejection_end_ + settings_.eject_max) ejections_in_a_row_ = 0;
  const auto length = std::min(settings_.eject_for * (1L << std::min(ejections_in_a_row_, 16U)), settings_.eject_max);
  ++ejections_in_a_row_;
  recent_.clear();
  last_ejection_end_ = now + length;
  return {.until = last_ejection_end_, .reason = std::move(reason)};
}

void PassiveHealth::on_pass(TimePoint now) {
  recent_.clear();
  last_ejection_end_ = std::min(last_ejection_end_, now);
}

}  // namespace holdfast::lb
