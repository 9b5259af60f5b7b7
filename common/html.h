// Text of others within a page of HTML.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

/// Appends `text` as HTML shows it, in an element or an attribute's quotes: the five characters that mean something are
/// escaped (HTML Living Standard §13.3).
void append_html(std::string& out, std::string_view text);

/// The same as a text of its own.
std::string html(std::string_view text);

}  // namespace holdfast
