// An entry of the stream: clicks with successive numbers of one journal, packed.
// Thread: any.
#pragma once

#include "app/clicks/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

inline constexpr std::string_view kEntryField = "d";
inline constexpr std::string_view kGroup = "workers";
inline constexpr std::size_t kEntryHeaderBytes = 37;

struct Entry {
  ClickSource source;
  std::uint64_t first = 0;  // number of its first click
  std::uint32_t count = 0;
  std::string_view records;

  std::uint64_t last() const { return first + count - 1; }
};

/// Its bytes before the records.
std::string entry_header(const Entry& entry);
/// Nothing where it is none. Whether its records can be read is another question.
std::optional<Entry> read_entry(std::string_view bytes);

}  // namespace holdfast::app
