// Hashes in hexadecimal.
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::app {

std::string sha256_hex(std::string_view text);
/// The name by which Redis knows a script; of no use against anybody who means ill.
std::string sha1_hex(std::string_view text);

}  // namespace holdfast::app
