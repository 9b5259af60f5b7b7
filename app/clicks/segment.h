// A file of the journal: a header, then frames, each what one turn of the loop recorded, with a checksum. What a crash
// left half-written at the end is no frame, and harms none before it.
// Thread: any, one at a time.
#pragma once

#include "app/clicks/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

inline constexpr std::size_t kSegmentHeaderBytes = 48;
inline constexpr std::size_t kFrameHeaderBytes = 24;
/// A frame is never larger: a length beyond it is damage.
inline constexpr std::size_t kFrameBytesMax = 1024 * 1024;

struct SegmentHeader {
  ClickSource source;
  std::uint64_t first = 1;  // number of its first click

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

std::string header_bytes(const SegmentHeader& header);
/// Nothing where it is none, or damaged.
std::optional<SegmentHeader> read_header(std::string_view bytes);

/// Some clicks with successive numbers.
struct Frame {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::string_view records;
};

/// Writes the frame's header before the records that begin at `from` in `out`, in the room that was left for it there.
void seal_frame(std::string& out, std::size_t from, std::uint64_t first, std::uint32_t count);

enum class FrameFound : std::uint8_t {
  Whole,
  End,      // nothing more, or only a beginning of a frame
  Damaged,  // bytes that are no frame: nothing behind them can be read
};

/// Takes the first frame off `bytes`.
FrameFound take_frame(std::string_view& bytes, Frame& frame);

}  // namespace holdfast::app
