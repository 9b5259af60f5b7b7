// The request body as far as it has come, kept for another attempt, bounded.
// Thread: worker.
#pragma once

#include "common/memory/release.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::lb {

class Replay {
 public:
  void reset(std::size_t bytes_max) {
    bytes_max_ = bytes_max;
    is_whole_ = true;
    clear_keeping_little(bytes_);
  }

  /// A piece that no server has been sent yet: kept whatever its size. is_full() says when to stop reading more.
  void collect(std::string_view piece) { bytes_ += piece; }
  bool is_full() const { return bytes_.size() >= bytes_max_; }

  /// All that was collected has been sent: kept for another attempt where it is within the bound.
  void sent_all() {
    if (bytes_.size() > bytes_max_) forget();
  }
  /// A piece that went straight on to a server: kept beside the others where there is room.
  void passed_on(std::string_view piece) {
    if (!is_whole_) return;
    if (bytes_.size() + piece.size() > bytes_max_) return forget();
    bytes_ += piece;
  }

  /// All of the body that has come is here.
  bool is_whole() const { return is_whole_; }
  std::string_view bytes() const { return bytes_; }

 private:
  void forget() {
    is_whole_ = false;
    release(bytes_);
  }

  std::size_t bytes_max_ = 0;
  bool is_whole_ = true;
  std::string bytes_;
};

}  // namespace holdfast::lb
