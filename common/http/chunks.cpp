#include "common/http/chunks.h"

#include "common/http/rules.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr int kNoDigit = -1;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return kNoDigit;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// What may stand in quotes (RFC 9110 §5.6.4), or behind a backslash there.
bool is_quotable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

}  // namespace

Result<ChunkPiece> ChunkReader::read(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    if (state_ == State::DataEnd && bytes.substr(used, 2) == "\r\n") {
      state_ = State::SizeBegin;
      used += 2;
    }
    if (state_ == State::SizeBegin) used += read_plain_line(bytes.substr(used));
    if (state_ == State::Data && size_ > 0) {
      if (used == bytes.size()) break;
      const std::string_view data = bytes.substr(used, std::min<std::uint64_t>(size_, bytes.size() - used));
      size_ -= data.size();
      if (size_ == 0) state_ = State::DataEnd;
      return ChunkPiece{.used = used + data.size(), .data = data};
    }
    if (state_ == State::Data) return ChunkPiece{.used = used, .data = {}, .is_last = true};
    if (used == bytes.size()) break;
    if (!step(bytes[used++])) return failure(Code::BadMessage, Side::Downstream, "a malformed chunk");
    if (ignored_bytes_ > kIgnoredBytesMax) {
      return failure(Code::BadMessage, Side::Downstream, "more than 16 KiB of chunk extensions, blanks and zeros");
    }
  }
  return ChunkPiece{.used = used, .data = {}, .is_last = state_ == State::Data && size_ == 0};
}

/// A size line as it nearly always is: digits and CR LF, all of it here. How many bytes it has; 0 where it is another.
std::size_t ChunkReader::read_plain_line(std::string_view bytes) {
  constexpr std::size_t kDigitsMax = 15;  // more of them may overflow
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < bytes.size() && digits < kDigitsMax; ++digits) {
    const int digit = digit_of(bytes[digits]);
    if (digit == kNoDigit) break;
    size = size << 4 | static_cast<unsigned>(digit);
  }
  if (digits == 0 || bytes.substr(digits, 2) != "\r\n") return 0;
  size_ = size;
  state_ = State::Data;
  return digits + 2;
}

/// False where `c` may not stand here.
bool ChunkReader::step(char c) {
  const auto to = [this](State next) {
    state_ = next;
    return true;
  };
  if (state_ == State::SizeBegin) size_digits_ = 0;
  const bool is_useless_zero = state_ == State::Size && size_ == 0 && c == '0' && size_digits_ >= kSizeDigits;
  if (is_useless_zero || (state_ > State::Size && state_ < State::LineFeed)) ++ignored_bytes_;
  switch (state_) {
    case State::SizeBegin:
    case State::Size: {
      if (const int digit = digit_of(c); digit != kNoDigit) {
        if (size_ >> 59 != 0) return false;  // 2^63 and more, as for Content-Length
        ++size_digits_;
        size_ = size_ << 4 | static_cast<unsigned>(digit);
        return to(State::Size);
      }
      if (state_ == State::SizeBegin) return false;
      [[fallthrough]];
    }
    case State::SizeBlank:
      if (c == ';') return to(State::NameBegin);
      if (is_blank(c)) return to(State::SizeBlank);
      return c == '\r' && state_ == State::Size && to(State::LineFeed);
    case State::NameBegin:
      return is_blank(c) || (is_token_char(c) && to(State::Name));
    case State::Name:
      if (is_token_char(c)) return true;
      if (c == '\r') return to(State::LineFeed);
      [[fallthrough]];
    case State::NameBlank:
      if (c == ';') return to(State::NameBegin);
      if (c == '=') return to(State::ValueBegin);
      return is_blank(c) && to(State::NameBlank);
    case State::ValueBegin:
      if (c == '"') return to(State::Quoted);
      return is_blank(c) || (is_token_char(c) && to(State::Token));
    case State::Quoted:
      if (c == '"') return to(State::ValueEnd);
      if (c == '\\') return to(State::Escaped);
      return is_quotable(c);
    case State::Escaped:
      return is_quotable(c) && to(State::Quoted);
    case State::Token:
      if (is_token_char(c)) return true;
      [[fallthrough]];
    case State::ValueEnd:
      if (c == '\r') return to(State::LineFeed);
      [[fallthrough]];
    case State::ValueBlank:
      if (c == ';') return to(State::NameBegin);
      return is_blank(c) && to(State::ValueBlank);
    case State::LineFeed:
      return c == '\n' && to(State::Data);
    case State::DataEnd:
      return c == '\r' && to(State::DataLineFeed);
    case State::DataLineFeed:
      return c == '\n' && to(State::SizeBegin);
    case State::Data:
      return false;
  }
  return false;
}

}  // namespace holdfast
