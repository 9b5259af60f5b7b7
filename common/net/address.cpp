#include "common/net/address.h"

#include <arpa/inet.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace holdfast {
namespace {

tl::unexpected<Error> bad_address(std::string_view why) { return failure(Code::BadAddress, Side::Self, why); }

/// The bytes of the address alone, IPv4 or IPv6.
std::pair<const unsigned char*, unsigned> address_bits(const Address& address) {
  if (address.raw()->sa_family == AF_INET6) {
    return {reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr.s6_addr, 128};
  }
  return {reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr), 32};
}

}  // namespace

Result<HostPort> split_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address("no port: write host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (problem != std::errc{} || end != digits.data() + digits.size() || port > 65535) {
    return bad_address("the port is not a number from 0 to 65535");
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad_address("an IPv6 address stands in brackets: [::1]:80");
  }
  return HostPort{host, static_cast<std::uint16_t>(port)};
}

Result<Address> Address::parse(std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts) return tl::unexpected(parts.error());
  const auto address = parse_host(parts->host.empty() ? "0.0.0.0" : parts->host);
  if (!address) return address;
  return address->with_port(parts->port);
}

Result<Address> Address::parse_host(std::string_view host) {
  std::array<char, INET6_ADDRSTRLEN> text{};  // with the NUL that inet_pton() wants
  if (host.size() >= text.size()) return bad_address("not an IP address");
  host.copy(text.data(), host.size());
  Address address;
  if (inet_pton(AF_INET, text.data(), &address.storage_.v4.sin_addr) == 1) {
    address.storage_.v4.sin_family = AF_INET;
    return address;
  }
  address.storage_.v6 = {};
  if (inet_pton(AF_INET6, text.data(), &address.storage_.v6.sin6_addr) == 1) {
    address.storage_.v6.sin6_family = AF_INET6;
    address.unmap();
    return address;
  }
  return bad_address("not an IP address");
}

Address Address::from(const sockaddr* raw) {
  Address address;
  if (raw->sa_family == AF_INET) std::memcpy(&address.storage_.v4, raw, sizeof(sockaddr_in));
  if (raw->sa_family == AF_INET6) std::memcpy(&address.storage_.v6, raw, sizeof(sockaddr_in6));
  address.unmap();
  return address;
}

void Address::unmap() {
  if (raw()->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&storage_.v6.sin6_addr)) return;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = storage_.v6.sin6_port;
  std::memcpy(&v4.sin_addr, storage_.v6.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
  storage_.v4 = v4;
}

Address Address::local_of(int fd) {
  sockaddr_storage raw{};
  socklen_t bytes = sizeof raw;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &bytes) != 0) return {};
  return from(reinterpret_cast<const sockaddr*>(&raw));
}

bool Address::is_loopback() const {
  if (raw()->sa_family == AF_INET) return (ntohl(storage_.v4.sin_addr.s_addr) >> 24) == 127;
  return raw()->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&storage_.v6.sin6_addr);
}

std::uint16_t Address::port() const {
  if (raw()->sa_family == AF_INET) return ntohs(storage_.v4.sin_port);
  if (raw()->sa_family == AF_INET6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

Address Address::with_port(std::uint16_t port) const {
  Address changed = *this;
  if (raw()->sa_family == AF_INET) changed.storage_.v4.sin_port = htons(port);
  if (raw()->sa_family == AF_INET6) changed.storage_.v6.sin6_port = htons(port);
  return changed;
}

socklen_t Address::raw_bytes() const {
  return raw()->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

std::string_view Address::host_into(char* out, std::size_t out_bytes) const {
  const void* bits = raw()->sa_family == AF_INET6 ? static_cast<const void*>(&storage_.v6.sin6_addr)
                                                  : static_cast<const void*>(&storage_.v4.sin_addr);
  if (!is_set() || inet_ntop(raw()->sa_family, bits, out, static_cast<socklen_t>(out_bytes)) == nullptr) return {};
  return out;
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> buffer;
  return std::string(host_into(buffer.data(), buffer.size()));
}

std::string Address::text() const {
  const std::string port_text = std::to_string(port());
  return raw()->sa_family == AF_INET6 ? "[" + host() + "]:" + port_text : host() + ":" + port_text;
}

bool operator==(const Address& a, const Address& b) {
  if (a.raw()->sa_family != b.raw()->sa_family || a.port() != b.port()) return false;
  if (!a.is_set()) return true;
  const auto [a_bits, a_count] = address_bits(a);
  const auto [b_bits, b_count] = address_bits(b);
  return std::memcmp(a_bits, b_bits, a_count / 8) == 0;
}

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string host(text.substr(0, slash));
  const auto base = Address::parse(host.find(':') == std::string::npos ? host + ":0" : "[" + host + "]:0");
  if (!base) return bad_address("not an IP address or a block such as 10.0.0.0/8");
  Network network;
  network.base_ = *base;
  network.prefix_bits_ = address_bits(*base).second;
  if (slash == std::string_view::npos) return network;
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  // Of a block of IPv4-mapped addresses, the bits that they have in common do not count.
  const bool is_mapped = network.prefix_bits_ == 32 && host.find(':') != std::string::npos;
  const unsigned mapped_bits = is_mapped ? 96 : 0;
  if (problem != std::errc{} || end != digits.data() + digits.size() || bits < mapped_bits ||
      bits - mapped_bits > network.prefix_bits_) {
    return bad_address("the length behind the slash is not a number of bits");
  }
  network.prefix_bits_ = bits - mapped_bits;
  return network;
}

bool Network::contains(const Address& address) const {
  if (address.raw()->sa_family != base_.raw()->sa_family) return false;
  const auto [ours, count] = address_bits(base_);
  const auto [theirs, their_count] = address_bits(address);
  const unsigned whole = prefix_bits_ / 8;
  if (std::memcmp(ours, theirs, whole) != 0) return false;
  const unsigned rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
  return (ours[whole] & mask) == (theirs[whole] & mask);
}

bool Network::any_contains(std::span<const Network> networks, const Address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&address](const Network& network) { return network.contains(address); });
}

std::string Network::text() const { return base_.host() + "/" + std::to_string(prefix_bits_); }

}  // namespace holdfast
