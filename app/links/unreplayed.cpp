#include "app/links/unreplayed.h"

#include <algorithm>

namespace holdfast::app {

void Unreplayed::add_unplaced(std::string_view code) {
  by_code_.insert_or_assign(std::string(code), kNowhere);
  unplaced_.emplace_back(code);
}

void Unreplayed::add(std::string_view code, std::uint64_t lsn) {
  while (by_lsn_.size() >= entries_max_) forget_oldest();
  by_code_.insert_or_assign(std::string(code), lsn);
  by_lsn_.emplace_back(lsn, code);
}

/// One reading of the feed may have begun before the change, but not the one after it.
void Unreplayed::placed(std::uint64_t lsn) {
  for (const std::string& code : std::exchange(unplaced_before_, std::exchange(unplaced_, {}))) {
    const auto known = by_code_.find(code);
    if (known != by_code_.end() && known->second == kNowhere) add(code, lsn);
  }
}

void Unreplayed::replayed(std::uint64_t lsn) {
  while (!by_lsn_.empty() && by_lsn_.front().first <= lsn) forget_oldest();
}

void Unreplayed::forget_oldest() {
  const auto [lsn, code] = std::move(by_lsn_.front());
  by_lsn_.pop_front();
  const auto known = by_code_.find(code);
  if (known != by_code_.end() && known->second == lsn) by_code_.erase(known);
  floor_ = std::max(floor_, lsn);
}

std::uint64_t Unreplayed::needed_for(std::string_view code) const {
  const auto known = by_code_.find(code);
  return known == by_code_.end() ? floor_ : std::max(floor_, known->second);
}

}  // namespace holdfast::app
