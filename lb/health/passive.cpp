#include "lb/health/passive.h"

#include "common/units.h"

namespace holdfast::lb {

std::optional<std::string> PassiveHealth::on_failures(AttemptResult result, std::uint64_t count, TimePoint now) {
  if (!is_failure(result) || settings_->max_fails == 0 || count == 0) return std::nullopt;
  if (now < last_ejection_end_) return std::nullopt;  // what comes in late belongs to the ejection that it led to
  if (result == AttemptResult::Refused) return "connection refused to a client's request";
  return this->count(count, attempt_result_name(result), now);
}

std::optional<std::string> PassiveHealth::on_bad_answers(BadAnswer kind, std::uint64_t count, TimePoint now) {
  if (settings_->max_fails == 0 || count == 0 || now < last_ejection_end_) return std::nullopt;
  return this->count(count, kind == BadAnswer::Status ? "a status of passive.statuses" : "slower than passive.latency",
                     now);
}

std::optional<std::string> PassiveHealth::count(std::uint64_t count, std::string_view what, TimePoint now) {
  if (is_on_trial_) return "on trial after its ejection, and again: " + std::string(what);
  while (!recent_.empty() && recent_.front() + settings_->fail_window <= now) recent_.pop_front();
  for (std::uint64_t i = 0; i < count && recent_.size() < settings_->max_fails; ++i) recent_.push_back(now);
  if (recent_.size() < settings_->max_fails) return std::nullopt;
  return std::to_string(settings_->max_fails) + " failures in " + print_duration(settings_->fail_window) +
         ", the last: " + std::string(what);
}

TimePoint PassiveHealth::eject(TimePoint now, double dice) {
  // In a row: begun again within the longest time after the last one ended.
  if (now > last_ejection_end_ + settings_->eject_max) ejections_in_a_row_ = 0;
  const auto length = std::min(settings_->eject_for * (1L << std::min(ejections_in_a_row_, 16U)), settings_->eject_max);
  ++ejections_in_a_row_;
  recent_.clear();
  is_on_trial_ = false;
  const double jittered = static_cast<double>(length.count()) * (0.9 + 0.2 * dice);
  return last_ejection_end_ = now + std::chrono::milliseconds(static_cast<long>(jittered));
}

void PassiveHealth::on_pass(TimePoint now) {
  is_on_trial_ = false;
  last_ejection_end_ = std::min(last_ejection_end_, now);
}

}  // namespace holdfast::lb
