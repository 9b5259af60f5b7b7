#include "common/escape.h"

#include <cstddef>
#include <cstdint>

namespace holdfast {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: no valid UTF-8 stands here
};

/// The character at the beginning of `bytes`, which are not empty (RFC 3629: no overlong form, no surrogate).
Character decode(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < size) return {};
  std::uint32_t code = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool is_overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (is_overlong || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return {};
  return {code, size};
}

bool is_printable(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;                  // controls, C1 too
  if (code == 0x061c || (code >= 0x200b && code <= 0x200f)) return false;          // invisible, direction marks
  if (code >= 0x2028 && code <= 0x202e) return false;                              // line ends, direction of writing
  return !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff && code != 0xfffe;  // more of the same
}

}  // namespace

std::size_t valid_utf8_bytes(std::string_view bytes) {
  std::size_t valid = 0;
  while (valid < bytes.size()) {
    const Character character = decode(bytes.substr(valid));
    if (character.bytes == 0) break;
    valid += character.bytes;
  }
  return valid;
}

void append_escaped(std::string& out, std::string_view bytes, std::string_view marked) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  while (!bytes.empty()) {
    const Character character = decode(bytes);
    if (character.bytes > 0 && is_printable(character.code)) {
      if (character.bytes == 1 && marked.find(bytes.front()) != std::string_view::npos) out += '\\';
      out += bytes.substr(0, character.bytes);
      bytes.remove_prefix(character.bytes);
      continue;
    }
    const auto byte = static_cast<unsigned char>(bytes.front());
    out += "\\x";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
    bytes.remove_prefix(1);
  }
}

namespace {

/// What a JSON string may hold as it is, of ASCII.
bool is_plain_in_json(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void append_json_escape(std::string& out, std::uint32_t code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[code >> shift & 15];
}

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    std::size_t plain = 0;
    while (plain < bytes.size() && is_plain_in_json(bytes[plain])) ++plain;
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const Character character = decode(bytes);
    const std::size_t taken = character.bytes == 0 ? 1 : character.bytes;
    if (bytes.front() == '"' || bytes.front() == '\\') {
      out += '\\';
      out += bytes.front();
    } else if (character.bytes == 0) {
      out += "\xef\xbf\xbd";
    } else if (is_printable(character.code)) {
      out += bytes.substr(0, taken);
    } else {
      append_json_escape(out, character.code);  // none of them lies beyond the first plane
    }
    bytes.remove_prefix(taken);
  }
  out += '"';
}

std::string escaped(std::string_view bytes, std::size_t bytes_max) {
  std::string out;
  append_escaped(out, bytes.substr(0, bytes_max));
  if (bytes.size() > bytes_max) out += "…";
  return out;
}

}  // namespace holdfast
