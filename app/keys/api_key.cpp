#include "app/keys/api_key.h"

#include "app/links/code.h"

#include <algorithm>

namespace holdfast::app {
namespace {

constexpr std::string_view kPrefix = "hf_";
constexpr std::size_t kIdLength = 8;
constexpr std::size_t kSecretLength = 32;  // 190 bits: no salt is needed, nor a slow hash

}  // namespace

FreshKey make_api_key() {
  std::string id = random_code(kIdLength);
  std::string text = std::string(kPrefix) + id + '_' + random_code(kSecretLength);
  return {.id = std::move(id), .text = std::move(text)};
}

bool is_api_key(std::string_view text) {
  if (text.size() != kPrefix.size() + kIdLength + 1 + kSecretLength || !text.starts_with(kPrefix)) return false;
  return text[kPrefix.size() + kIdLength] == '_';
}

std::optional<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word != "read" && word != "write" && word != "admin") return std::nullopt;
    scopes.is_admin = scopes.is_admin || word == "admin";
    scopes.may_read = scopes.may_read || scopes.is_admin || word == "read";
    scopes.may_write = scopes.may_write || scopes.is_admin || word == "write";
  }
  if (!scopes.may_read && !scopes.may_write) return std::nullopt;
  return scopes;
}

std::string scopes_literal(const Scopes& scopes) {
  std::string text;
  if (scopes.may_read) text += ",read";
  if (scopes.may_write) text += ",write";
  if (scopes.is_admin) text += ",admin";
  if (!text.empty()) text.erase(0, 1);
  return '{' + text + '}';
}

}  // namespace holdfast::app
