// Heads to bytes, written afresh from what was understood: nothing is copied through unread.
// Thread: any; a DateField is one thread's.
#pragma once

#include "common/http/head.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace holdfast {

/// Appends one head to a buffer whose capacity is kept by its owner. Names and values must have been judged before.
class HeadWriter {
 public:
  explicit HeadWriter(std::string& out) : out_(out) {}

  void request_line(std::string_view method, std::string_view target) { append(method, " ", target, " HTTP/1.1\r\n"); }
  void status_line(int status, std::string_view reason) {
    out_ += "HTTP/1.1 ";
    number(static_cast<std::uint64_t>(status));
    append(" ", reason, "\r\n");
  }
  void field(std::string_view name, std::string_view value) { append(name, ": ", value, "\r\n"); }
  void field(std::string_view name, std::uint64_t value) {
    append(name, ": ");
    number(value);
    out_ += "\r\n";
  }
  void end() { out_ += "\r\n"; }

  template <class... Pieces>
  void append(Pieces... pieces) {
    (out_.append(std::string_view(pieces)), ...);
  }
  void number(std::uint64_t value) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_.append(digits.data(), end);
  }

 private:
  std::string& out_;
};

/// The Date value (RFC 9110 §6.6.1), made anew once a second.
class DateField {
 public:
  /// Good until the next call.
  std::string_view now();

 private:
  std::time_t at_ = 0;
  std::array<char, 32> text_{};
  std::size_t length_ = 0;
};

/// `size` in hexadecimal and CR LF, as a chunk begins (RFC 9112 §7.1).
class ChunkHead {
 public:
  explicit ChunkHead(std::size_t size) {
    char* end = std::to_chars(text_.data(), text_.data() + text_.size() - 2, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    length_ = static_cast<std::size_t>(end - text_.data());
  }
  std::string_view text() const { return {text_.data(), length_}; }

 private:
  std::array<char, 18> text_;
  std::size_t length_;
};

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
/// With trailer fields between the two.
inline constexpr std::string_view kLastChunkHead = "0\r\n";
inline constexpr std::string_view kEmptyLine = "\r\n";

}  // namespace holdfast
