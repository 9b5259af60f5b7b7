// Reads and writes JSON text. nlohmann/json's parser and serializer take a second to compile wherever they are used, so
// they are used here only.
// Thread: any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace holdfast {

/// Returns the value of a JSON text, or a discarded one (is_discarded()) if the text is not valid.
/// Sets no limit to nesting: never print what an untrusted text held, since printing recurses.
nlohmann::json parse_json(std::string_view text);

/// Returns the value as JSON on one line. Invalid UTF-8 becomes U+FFFD.
std::string json_text(const nlohmann::json& value);
std::string json_text(const nlohmann::ordered_json& value);

/// Returns the value as JSON for people: indented by two spaces, with a newline at the end. Invalid UTF-8 becomes
/// U+FFFD.
std::string pretty_json(const nlohmann::ordered_json& value);

}  // namespace holdfast
