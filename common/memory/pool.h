// Free list of one type: in steady state taking and giving back allocates nothing.
// Thread: the one of its owner.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace holdfast {

/// Objects of type T that are made once and used again. T has reset(), which makes it as good as new.
template <class T>
class Pool {
 public:
  /// Keeps at most `kept_max` unused objects; what comes back beyond is destroyed.
  explicit Pool(std::size_t kept_max) : kept_max_(kept_max) { free_.reserve(kept_max); }

  /// An unused object, or a new one made from `arguments`. The caller owns it until give().
  template <class... Arguments>
  std::unique_ptr<T> take(Arguments&&... arguments) {
    if (free_.empty()) return std::make_unique<T>(std::forward<Arguments>(arguments)...);
    std::unique_ptr<T> object = std::move(free_.back());
    free_.pop_back();
    return object;
  }

  void give(std::unique_ptr<T> object) {
    if (free_.size() >= kept_max_) return;
    object->reset();
    free_.push_back(std::move(object));
  }

  std::size_t kept() const { return free_.size(); }

 private:
  std::size_t kept_max_;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace holdfast
