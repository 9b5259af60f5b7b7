#include "app/http/client_address.h"

#include "common/http/rules.h"

#include <arpa/inet.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace holdfast::app {
namespace {

bool is_trusted(const Address& address, const std::vector<Network>& proxies) {
  return std::any_of(proxies.begin(), proxies.end(), [&](const Network& each) { return each.contains(address); });
}

/// An address without a port, as the field has it; one with brackets or a port is read as well.
Result<Address> read_address(std::string_view text) {
  text = trimmed(text);
  // `:80` would be an address of ours, meaning all interfaces.
  if (text.empty() || (text.starts_with(':') && !text.starts_with("::"))) {
    return tl::unexpected(Error{.code = Code::BadAddress, .side = Side::Downstream, .why = "no address"});
  }
  const bool is_bare_v6 = std::count(text.begin(), text.end(), ':') > 1 && !text.starts_with('[');
  if (is_bare_v6) return Address::parse("[" + std::string(text) + "]:1");
  if (text.ends_with(']') || text.find(':') == std::string_view::npos) return Address::parse(std::string(text) + ":1");
  return Address::parse(text);
}

}  // namespace

Address client_of(const HttpRequest& request, const std::vector<Network>& trusted_proxies) {
  Address client = request.client;
  const auto& fields = request.head.fields;
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    if (field->id != FieldId::XForwardedFor) continue;
    std::string_view rest = field->value;
    while (!rest.empty()) {
      if (!is_trusted(client, trusted_proxies)) return client;
      const auto comma = rest.rfind(',');
      const auto before = read_address(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
      if (!before) return client;
      client = *before;
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
    }
  }
  return client;
}

bool is_from_proxy(const HttpRequest& request, const std::vector<Network>& trusted_proxies) {
  return is_trusted(request.client, trusted_proxies);
}

std::string network_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.raw()->sa_family == AF_INET6) {
    in6_addr bytes = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
    std::memset(&bytes.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &bytes, text.data(), text.size());
    return std::string(text.data()) + "/64";
  }
  if (address.raw()->sa_family != AF_INET) return "unknown";
  in_addr bytes = reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr;
  bytes.s_addr &= htonl(0xffffff00);
  inet_ntop(AF_INET, &bytes, text.data(), text.size());
  return std::string(text.data()) + "/24";
}

}  // namespace holdfast::app
