#include "app/clicks/segment.h"

#include "common/assert.h"

#include <xxhash.h>
#include <array>
#include <cstring>

namespace holdfast::app {
namespace {

constexpr std::string_view kMagic = "hfclick1";

struct FrameHeader {
  std::uint32_t bytes;  // of the records
  std::uint32_t count;
  std::uint64_t first;
  std::uint64_t checksum;  // of all of the above and the records
};
static_assert(sizeof(FrameHeader) == kFrameHeaderBytes);

std::uint64_t checksum_of(const FrameHeader& header, std::string_view records) {
  // Seeded with the header, so that both are covered in one pass over the records.
  return XXH3_64bits_withSeed(records.data(), records.size(), XXH3_64bits(&header, sizeof header - 8));
}

}  // namespace

std::string header_bytes(const SegmentHeader& header) {
  std::string out(kMagic);
  out.append(reinterpret_cast<const char*>(header.source.instance.data()), header.source.instance.size());
  out.append(reinterpret_cast<const char*>(&header.source.epoch), 8);
  out.append(reinterpret_cast<const char*>(&header.first), 8);
  const std::uint64_t checksum = XXH3_64bits(out.data(), out.size());
  out.append(reinterpret_cast<const char*>(&checksum), 8);
  HF_ASSERT(out.size() == kSegmentHeaderBytes);
  return out;
}

std::optional<SegmentHeader> read_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + 40, 8);
  if (checksum != XXH3_64bits(bytes.data(), 40)) return std::nullopt;
  SegmentHeader header;
  std::memcpy(header.source.instance.data(), bytes.data() + 8, 16);
  std::memcpy(&header.source.epoch, bytes.data() + 24, 8);
  std::memcpy(&header.first, bytes.data() + 32, 8);
  return header;
}

void seal_frame(std::string& out, std::size_t from, std::uint64_t first, std::uint32_t count) {
  const std::string_view records = std::string_view(out).substr(from + kFrameHeaderBytes);
  FrameHeader header{
      .bytes = static_cast<std::uint32_t>(records.size()), .count = count, .first = first, .checksum = 0};
  header.checksum = checksum_of(header, records);
  std::memcpy(out.data() + from, &header, sizeof header);
}

FrameFound take_frame(std::string_view& bytes, Frame& frame) {
  if (bytes.size() < kFrameHeaderBytes) return FrameFound::End;
  FrameHeader header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.bytes > kFrameBytesMax || header.count == 0 || header.count > header.bytes) return FrameFound::Damaged;
  if (bytes.size() - kFrameHeaderBytes < header.bytes) return FrameFound::End;
  const std::string_view records = bytes.substr(kFrameHeaderBytes, header.bytes);
  if (header.checksum != checksum_of(header, records)) return FrameFound::Damaged;
  frame = {.first = header.first, .count = header.count, .records = records};
  bytes.remove_prefix(kFrameHeaderBytes + header.bytes);
  return FrameFound::Whole;
}

}  // namespace holdfast::app
