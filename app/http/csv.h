// A table as RFC 4180 has it, such that a spreadsheet runs nothing of it.
// Thread: any. Pure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace holdfast::app {

inline constexpr std::string_view kCsv = "text/csv; charset=utf-8; header=present";

/// Appends one line. A cell that a spreadsheet would take for a formula begins with an apostrophe.
void append_csv_line(std::string& out, std::initializer_list<std::string_view> cells);

}  // namespace holdfast::app
