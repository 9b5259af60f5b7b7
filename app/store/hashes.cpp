#include "app/store/hashes.h"

#include <openssl/sha.h>
#include <array>

namespace holdfast::app {
namespace {

template <std::size_t kBytes>
std::string in_hex(const std::array<unsigned char, kBytes>& digest) {
  std::string hex;
  hex.reserve(2 * kBytes);
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return in_hex(digest);
}

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return in_hex(digest);
}

}  // namespace holdfast::app
