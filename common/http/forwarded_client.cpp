#include "common/http/forwarded_client.h"

#include "common/http/rules.h"

#include <algorithm>

namespace holdfast {
namespace {

/// An address of an entry, which may have brackets and a port.
Result<Address> address_of(std::string_view entry) {
  entry = trimmed(entry);
  const bool has_brackets = entry.starts_with('[');
  if (has_brackets ? !entry.ends_with(']') : std::count(entry.begin(), entry.end(), ':') == 1) {
    const auto parts = split_host_port(entry);
    return parts ? Address::parse_host(parts->host) : tl::unexpected(parts.error());
  }
  return Address::parse_host(has_brackets ? entry.substr(1, entry.size() - 2) : entry);
}

}  // namespace

std::optional<Address> forwarded_client(const MessageHead& head, std::span<const Network> proxies) {
  std::optional<Address> client;
  for (auto field = head.fields.rbegin(); field != head.fields.rend(); ++field) {  // several fields are one list
    if (field->id != FieldId::XForwardedFor) continue;
    std::string_view rest = field->value;
    while (!rest.empty()) {
      const auto comma = rest.rfind(',');
      const auto address = address_of(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
      if (!address) return client;
      client = *address;
      if (!Network::any_contains(proxies, *address)) return client;
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
    }
  }
  return client;
}

}  // namespace holdfast
