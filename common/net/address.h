// Socket addresses: parse, print, compare.
#pragma once

#include "common/result.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

/// An IPv4 or IPv6 address with a port. An IPv4-mapped IPv6 address, as a dual-stack listener reports its IPv4 clients,
/// becomes the IPv4 address. A value.
class Address {
 public:
  Address() = default;

  /// Reads `127.0.0.1:80`, `[::1]:80` or `:80` (all IPv4 interfaces). Names are not resolved here: BadAddress.
  static Result<Address> parse(std::string_view text);
  /// Reads `127.0.0.1` or `::1`, with port 0. Allocates nothing.
  static Result<Address> parse_host(std::string_view host);
  /// From the kernel; empty where the family is neither IPv4 nor IPv6.
  static Address from(const sockaddr* raw);
  /// Where the local end of `fd` is bound.
  static Address local_of(int fd);

  bool is_set() const { return storage_.plain.sa_family != AF_UNSPEC; }
  bool is_loopback() const;
  std::uint16_t port() const;
  Address with_port(std::uint16_t port) const;

  const sockaddr* raw() const { return &storage_.plain; }
  socklen_t raw_bytes() const;

  /// `127.0.0.1` or `::1`: no brackets, no port.
  std::string host() const;
  /// `127.0.0.1:80` or `[::1]:80`.
  std::string text() const;
  /// host() into `out` (at least INET6_ADDRSTRLEN bytes), for where nothing may be allocated.
  std::string_view host_into(char* out, std::size_t out_bytes) const;

  friend bool operator==(const Address& a, const Address& b);

 private:
  void unmap();

  union Storage {
    sockaddr plain;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  Storage storage_{.plain = {.sa_family = AF_UNSPEC, .sa_data = {}}};
};

/// A block of addresses, `10.0.0.0/8` or a single one. `::ffff:10.0.0.0/104` is 10.0.0.0/8, and `::/0` holds no IPv4.
class Network {
 public:
  static Result<Network> parse(std::string_view text);
  bool contains(const Address& address) const;
  std::string text() const;
  static bool any_contains(std::span<const Network> networks, const Address& address);

 private:
  Address base_;
  unsigned prefix_bits_ = 0;
};

/// Splits `name:80` or `[::1]:80` at the port. BadAddress where there is no valid port.
struct HostPort {
  std::string_view host;
  std::uint16_t port = 0;
};
Result<HostPort> split_host_port(std::string_view text);

}  // namespace holdfast
