// Numbers as PostgreSQL and Redis write them.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace holdfast::app {

/// The number that `text` begins with; 0 where it begins with none.
template <class Number = std::int64_t>
Number number_of(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace holdfast::app
