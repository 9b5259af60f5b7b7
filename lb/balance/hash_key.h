// What `hash` looks at in a request, as a number; taken once, at the request's start. Pure.
#pragma once

#include "common/http/head.h"
#include "lb/pool/settings.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::lb {

/// Well mixed: each bit depends on each bit of `text`.
std::uint64_t hash_of(std::string_view text);
/// Mixes a number with another, such as a key with a server.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  value ^= value >> 33;
  return value;
}

/// The value of the cookie `name` in a Cookie field (RFC 6265 §4.2); nothing where it is not there.
std::optional<std::string_view> cookie_value(std::string_view cookies, std::string_view name);

/// The key of a request; nothing where it lacks the field or the cookie. `client`: the client's address.
std::optional<std::uint64_t> hash_key(const PolicySettings& policy, const RequestHead& head, std::string_view client);

}  // namespace holdfast::lb
