#include "app/http/csv.h"

namespace holdfast::app {
namespace {

constexpr std::string_view kBeginsFormula = "=+-@\t\r\n";

void append_cell(std::string& out, std::string_view cell) {
  const bool is_formula = !cell.empty() && kBeginsFormula.find(cell.front()) != std::string_view::npos;
  const bool is_quoted = cell.find_first_of(",\"\r\n\t'") != std::string_view::npos || is_formula;
  if (!is_quoted) {
    out += cell;
    return;
  }
  out += '"';
  if (is_formula) out += '\'';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

void append_csv_line(std::string& out, std::initializer_list<std::string_view> cells) {
  bool is_first = true;
  for (const std::string_view cell : cells) {
    if (!is_first) out += ',';
    append_cell(out, cell);
    is_first = false;
  }
  out += "\r\n";
}

}  // namespace holdfast::app
