// Gives a buffer's memory back. Assigning an empty string does not: a short string is copied into what is there.
// Thread: any.
#pragma once

#include <cstddef>
#include <string>

namespace holdfast {

inline void release(std::string& buffer) { std::string().swap(buffer); }

/// Empties a buffer for its next use; one that grew large for one use is not kept for the next.
inline void clear_keeping_little(std::string& buffer) {
  constexpr std::size_t kKeptCapacity = 128 * 1024;
  buffer.clear();
  if (buffer.capacity() > kKeptCapacity) release(buffer);
}

}  // namespace holdfast
