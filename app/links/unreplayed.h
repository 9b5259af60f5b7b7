// Links that were changed a short while ago: a replica is asked for one of them only when it has replayed that far.
// Without this a paused replica would bring a deleted link back. Bounded: what is forgotten to save memory raises the
// floor, below which a replica is asked for nothing.
// Thread: the loop's. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace holdfast::app {

class Unreplayed {
 public:
  explicit Unreplayed(std::size_t entries_max = 100'000) : entries_max_(entries_max) {}

  /// Nobody knows yet where in the primary's log this change is: no replica will do until add() or placed() says it.
  void add_unplaced(std::string_view code);
  /// A replica that replayed up to `lsn` knows the change of `code`. Grows from call to call.
  void add(std::string_view code, std::uint64_t lsn);
  /// Whatever was added unplaced before the last but one call lies below `lsn`.
  void placed(std::uint64_t lsn);
  /// All replicas in use have replayed so far.
  void replayed(std::uint64_t lsn);
  /// Another history began: no place in the old one's log means anything.
  void clear() { *this = Unreplayed(entries_max_); }

  /// How far a replica must be to be asked for `code`.
  std::uint64_t needed_for(std::string_view code) const;
  /// Whether `code` itself was changed, rather than the floor having risen.
  bool is_changed(std::string_view code) const { return by_code_.contains(code); }
  std::size_t size() const { return by_code_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  static constexpr std::uint64_t kNowhere = UINT64_MAX;
  void forget_oldest();

  std::size_t entries_max_;
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> by_code_;
  std::deque<std::pair<std::uint64_t, std::string>> by_lsn_;  // a code may stand here more than once
  std::deque<std::string> unplaced_;                          // since the last placed()
  std::deque<std::string> unplaced_before_;
  std::uint64_t floor_ = 0;
};

}  // namespace holdfast::app
