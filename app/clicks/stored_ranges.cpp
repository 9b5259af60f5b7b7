#include "app/clicks/stored_ranges.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace holdfast::app {

StoredRanges::StoredRanges(std::string_view text) {
  const auto number = [&](std::uint64_t& value) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return problem == std::errc{};
  };
  for (auto begin = text.find('['); begin != std::string_view::npos; begin = text.find('[')) {
    text.remove_prefix(begin + 1);
    std::uint64_t first = 0;
    std::uint64_t beyond = 0;
    if (!number(first) || !text.starts_with(',')) return;
    text.remove_prefix(1);
    if (!number(beyond) || beyond <= first) return;
    ranges_.emplace_back(first, beyond - 1);
  }
}

bool StoredRanges::has(std::uint64_t first, std::uint64_t last) const { return upto(first) >= last; }

std::uint64_t StoredRanges::count(std::uint64_t first, std::uint64_t last) const {
  std::uint64_t all = 0;
  for (const auto& [from, to] : ranges_) {
    const std::uint64_t begin = std::max(from, first);
    const std::uint64_t end = std::min(to, last);
    if (begin <= end) all += end - begin + 1;
  }
  return all;
}

std::uint64_t StoredRanges::upto(std::uint64_t first) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), first,
                                      [](std::uint64_t value, const auto& range) { return value < range.first; });
  if (after == ranges_.begin()) return first - 1;
  const std::uint64_t last = std::prev(after)->second;
  return last >= first ? last : first - 1;
}

}  // namespace holdfast::app
