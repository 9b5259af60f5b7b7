// Codes of links: random, so that neither their number nor their order can be guessed.
// Thread: any; each has its own stock of random bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::app {

inline constexpr std::size_t kCodeLength = 7;
inline constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The letter for a random byte; nothing for the few at the end that would make some letters more frequent.
constexpr std::optional<char> letter_for(std::uint8_t byte) {
  constexpr std::size_t kFair = 256 / kBase62.size() * kBase62.size();
  if (byte >= kFair) return std::nullopt;
  return kBase62[byte % kBase62.size()];
}

/// `length` letters of base 62 from the kernel's generator.
std::string random_code(std::size_t length = kCodeLength);

/// A random UUID (RFC 9562, version 4).
std::string random_uuid();

}  // namespace holdfast::app
