// Which numbers of one journal's epoch the database has, as it tells them: `{[1,501),[600,700)}`.
// Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::app {

class StoredRanges {
 public:
  StoredRanges() = default;
  /// Of an int8multirange's text; what it cannot be is nothing.
  explicit StoredRanges(std::string_view text);

  /// All of `first` to `last`.
  bool has(std::uint64_t first, std::uint64_t last) const;
  /// How many of `first` to `last`.
  std::uint64_t count(std::uint64_t first, std::uint64_t last) const;
  /// The last number that is there with all from `first` on; first - 1 where that is not.
  std::uint64_t upto(std::uint64_t first) const;

 private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;  // first and last, ascending, apart from each other
};

}  // namespace holdfast::app
