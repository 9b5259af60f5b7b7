#include "lb/balance/hash_key.h"

#include "common/http/rules.h"

namespace holdfast::lb {
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mixed(hash);
}

std::optional<std::string_view> cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    const std::string_view pair = trimmed(cookies.substr(0, end));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> hash_key(const PolicySettings& policy, const RequestHead& head, std::string_view client) {
  switch (policy.source) {
    case HashSource::ClientIp:
      return hash_of(client);
    case HashSource::Path:
      return hash_of(head.target.substr(0, head.target.find('?')));
    case HashSource::Header:
      if (const Field* field = head.find(policy.name)) return hash_of(field->value);
      return std::nullopt;
    case HashSource::Cookie:
      for (const Field& field : head.fields) {
        if (!equals_ignoring_case(field.name, "cookie")) continue;
        if (const auto value = cookie_value(field.value, policy.name)) return hash_of(*value);
      }
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace holdfast::lb
