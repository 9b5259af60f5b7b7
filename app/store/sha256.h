// SHA-256 in hexadecimal.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::app {

std::string sha256_hex(std::string_view text);

}  // namespace holdfast::app
