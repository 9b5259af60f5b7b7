// Bytes of others made fit for a terminal and a log: text stays readable, whatever could move a cursor, begin a line or
// turn the direction of writing is spelt out as `\xNN`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast {

/// Appends `bytes` to `out`. Printable characters in valid UTF-8 stay; characters of `marked` get a backslash; all
/// other bytes become `\xNN`.
void append_escaped(std::string& out, std::string_view bytes, std::string_view marked = {});

/// As append_escaped(), of at most the first `bytes_max` bytes; `…` stands for the rest.
std::string escaped(std::string_view bytes, std::size_t bytes_max = std::string_view::npos);

/// How many bytes stand before the first that is no valid UTF-8 (RFC 3629); all of them where none is.
std::size_t valid_utf8_bytes(std::string_view bytes);

/// Appends `bytes` as a JSON string (RFC 8259 §7), quotes and all. What could move a cursor is escaped as well; a byte
/// that is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view bytes);

}  // namespace holdfast
