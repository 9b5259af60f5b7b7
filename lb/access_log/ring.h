// Bytes from one thread to one other: appended whole or not at all, read in the pieces in which they lie.
// Neither side waits or locks.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace holdfast::lb {

class ByteRing {
 public:
  /// `capacity_bytes`: a power of two.
  explicit ByteRing(std::size_t capacity_bytes)
      : mask_(std::bit_ceil(capacity_bytes) - 1), bytes_(new char[std::bit_ceil(capacity_bytes)]) {}

  /// False where there is no room: nothing was taken. Thread: the writer.
  bool push(std::string_view bytes) {
    const std::size_t written = written_.load(std::memory_order_relaxed);
    if (mask_ + 1 - (written - read_seen_) < bytes.size()) {
      read_seen_ = read_.load(std::memory_order_acquire);
      if (mask_ + 1 - (written - read_seen_) < bytes.size()) return false;
    }
    const std::size_t begin = written & mask_;
    const std::string_view first = bytes.substr(0, mask_ + 1 - begin);
    std::memcpy(bytes_.get() + begin, first.data(), first.size());
    std::memcpy(bytes_.get(), bytes.data() + first.size(), bytes.size() - first.size());
    written_.store(written + bytes.size(), std::memory_order_release);
    return true;
  }

  /// What is unread: the second piece begins where the ring does. Good until taken. Thread: the reader.
  std::pair<std::string_view, std::string_view> unread() const {
    const std::size_t read = read_.load(std::memory_order_relaxed);
    const std::size_t count = written_.load(std::memory_order_acquire) - read;
    const std::size_t begin = read & mask_;
    const std::size_t first = count < mask_ + 1 - begin ? count : mask_ + 1 - begin;
    return {{bytes_.get() + begin, first}, {bytes_.get(), count - first}};
  }
  /// Thread: the reader.
  void take(std::size_t count) {
    read_.store(read_.load(std::memory_order_relaxed) + count, std::memory_order_release);
  }

 private:
  const std::size_t mask_;
  const std::unique_ptr<char[]> bytes_;  // the kernel gives a page when it is first written
  alignas(64) std::atomic<std::size_t> written_{0};
  std::size_t read_seen_ = 0;  // by the writer: read_ or less
  alignas(64) std::atomic<std::size_t> read_{0};
};

}  // namespace holdfast::lb
