// The framing of a chunked body (RFC 9112 §7.1), strict: sizes, extensions and line ends, down to the last chunk's
// line. What follows it, the trailers, is not read here. llhttp reads chunks as well, and refuses some extensions that
// must be passed over, takes some that are none, and differs from version to version. Thread: the one of its owner.
#pragma once

#include "common/result.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast {

struct ChunkPiece {
  std::size_t used = 0;   // of the bytes given, framing and data
  std::string_view data;  // a view into them; empty where they held framing only
  bool is_last = false;   // the last chunk's line has ended: what follows is none of ours
};

class ChunkReader {
 public:
  /// Bound of everything in the size lines of one body that says nothing: extensions, blanks, and the leading zeros
  /// that make a size longer than kSizeDigits.
  static constexpr std::size_t kIgnoredBytesMax = 16 * 1024;
  /// Digits that a size may have without any of them counting: servers that print "%016x" are well.
  static constexpr std::size_t kSizeDigits = 16;

  /// A body begins.
  void start() { *this = ChunkReader(); }

  /// Reads up to the end of `bytes`, of the data in them, or of the last chunk's line, whichever is first. `bytes` is
  /// not empty, and no call follows the last piece or an error. An error is the sender's doing.
  Result<ChunkPiece> read(std::string_view bytes);

 private:
  // BWS, blanks about ";" and "=", is to be read (RFC 9110 §5.6.3); nowhere else may there be any.
  enum class State {
    SizeBegin,
    Size,
    SizeBlank,
    NameBegin,
    Name,
    NameBlank,
    ValueBegin,
    Token,
    Quoted,
    Escaped,
    ValueEnd,
    ValueBlank,
    LineFeed,
    Data,
    DataEnd,
    DataLineFeed,
  };

  std::size_t read_plain_line(std::string_view bytes);
  bool step(char c);

  State state_ = State::SizeBegin;
  std::uint64_t size_ = 0;       // of the chunk while its line is read, then what is left of it
  std::size_t size_digits_ = 0;  // of the line that is read
  std::size_t ignored_bytes_ = 0;
};

}  // namespace holdfast
