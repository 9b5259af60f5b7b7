#include "app/clicks/entry.h"

#include <cstring>

namespace holdfast::app {
namespace {

constexpr char kVersion = 1;

}  // namespace

std::string entry_header(const Entry& entry) {
  std::string out(kEntryHeaderBytes, '\0');
  out[0] = kVersion;
  std::memcpy(out.data() + 1, entry.source.instance.data(), 16);
  std::memcpy(out.data() + 17, &entry.source.epoch, 8);
  std::memcpy(out.data() + 25, &entry.first, 8);
  std::memcpy(out.data() + 33, &entry.count, 4);
  return out;
}

std::optional<Entry> read_entry(std::string_view bytes) {
  if (bytes.size() <= kEntryHeaderBytes || bytes[0] != kVersion) return std::nullopt;
  Entry entry;
  std::memcpy(entry.source.instance.data(), bytes.data() + 1, 16);
  std::memcpy(&entry.source.epoch, bytes.data() + 17, 8);
  std::memcpy(&entry.first, bytes.data() + 25, 8);
  std::memcpy(&entry.count, bytes.data() + 33, 4);
  entry.records = bytes.substr(kEntryHeaderBytes);
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;  // the database's numbers have a sign
  const bool is_sound = entry.count > 0 && entry.count <= entry.records.size() && entry.first > 0 &&
                        entry.first < kMost && entry.source.epoch < kMost;
  return is_sound ? std::optional(entry) : std::nullopt;
}

}  // namespace holdfast::app
