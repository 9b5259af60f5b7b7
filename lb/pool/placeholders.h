// Placeholders of Caddy, nginx and HAProxy in header values. lb has none and would send them literally, so a
// configuration that contains one is refused.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::lb {

/// Returns what is wrong with the first placeholder in `value` and what to do about it, or nothing if there is none.
/// JSON, as in Report-To, and a `$` within a word, as in a password, are no placeholders.
std::optional<std::string> placeholder_error(std::string_view value);

}  // namespace holdfast::lb
