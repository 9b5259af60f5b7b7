// What an API key is: `hf_`, an id that may be shown, and a secret. Only its hash is ever kept.
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

/// What a key may do. Admin may both, with everybody's links.
struct Scopes {
  bool may_read = false;
  bool may_write = false;
  bool is_admin = false;
};

/// A key without its secret.
struct ApiKey {
  std::string id;
  Scopes scopes;
  std::chrono::system_clock::time_point expires_at = std::chrono::system_clock::time_point::max();
};

/// Open: anybody may do anything, for a trial on one's own machine.
enum class ApiAuth : std::uint8_t { Keys, Open };

struct FreshKey {
  std::string id;
  std::string text;  // to be shown once
};
FreshKey make_api_key();

/// Could this be one of ours? Then it is worth a hash.
bool is_api_key(std::string_view text);

/// Reads `read,write` (any of read, write, admin); nothing where a word is none of them or there is none.
std::optional<Scopes> parse_scopes(std::string_view text);
/// As an array literal of PostgreSQL: `{read,write}`.
std::string scopes_literal(const Scopes& scopes);

}  // namespace holdfast::app
