#include "app/links/host.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <algorithm>
#include <array>
#include <memory>

namespace holdfast::app {
namespace {

constexpr std::size_t kHostBytesMax = 253;

tl::unexpected<std::string_view> wrong(std::string_view why) { return tl::unexpected(why); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_name_byte(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.'; }
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

struct Free {
  void operator()(char* text) const noexcept { idn2_free(text); }
};
using IdnText = std::unique_ptr<char, Free>;

/// Empty where it is no name of IDNA's.
std::string to_ascii(std::string_view name) {
  char* out = nullptr;
  // As browsers do it: TR 46's mappings (a wide dot is a dot), without the old exceptions for the German sharp s.
  if (idn2_to_ascii_8z(std::string(name).c_str(), &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) return {};
  return IdnText(out).get();
}

/// A label that says that it is Punycode, and is.
bool is_punycode_well(const std::string& name) {
  char* out = nullptr;
  const int problem = idn2_to_unicode_8z8z(name.c_str(), &out, 0);
  const IdnText text(out);
  return problem == IDN2_OK;
}

/// Its last part is a number: then browsers take the whole for an IPv4 address, of one to four parts, each decimal,
/// octal or hexadecimal.
bool is_taken_for_ipv4(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), is_digit)) return true;
  return last.starts_with("0x") && std::all_of(last.begin() + 2, last.end(), is_hex_digit);
}

tl::expected<std::string, std::string_view> ipv4(const std::string& text) {
  in_addr address{};
  if (inet_aton(text.c_str(), &address) == 0) return wrong("the host is not an IPv4 address");
  std::array<char, INET_ADDRSTRLEN> shown{};
  inet_ntop(AF_INET, &address, shown.data(), shown.size());
  return shown.data();
}

tl::expected<std::string, std::string_view> ipv6(std::string_view bracketed) {
  in6_addr address{};
  const std::string text(bracketed.substr(1, bracketed.size() - 2));
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return wrong("the host is not an IPv6 address");
  std::array<char, INET6_ADDRSTRLEN> shown{};
  inet_ntop(AF_INET6, &address, shown.data(), shown.size());
  return '[' + std::string(shown.data()) + ']';
}

}  // namespace

tl::expected<std::string, std::string_view> normal_host(std::string_view given) {
  if (given.empty()) return wrong("a host is required");
  if (given.size() > 4 * kHostBytesMax || given.find('\0') != std::string_view::npos) {
    return wrong("the host is not valid");
  }
  if (given.front() == '[') return given.back() == ']' ? ipv6(given) : wrong("the host's brackets do not close");
  std::string name = is_ascii(given) ? in_lower_case(given) : to_ascii(given);
  if (name.empty()) return wrong("the host is not a name in the sense of IDNA");
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || name.front() == '.' || name.find("..") != std::string::npos)
    return wrong("the host is not valid");
  if (!std::all_of(name.begin(), name.end(), is_name_byte)) {
    return wrong("the host may have letters, digits, '-', '_' and '.' only");
  }
  if (name.size() > kHostBytesMax) return wrong("the host is longer than 253 bytes");
  if (is_taken_for_ipv4(name)) return ipv4(name);
  if (name.find("xn--") != std::string::npos && !is_punycode_well(name)) {
    return wrong("the host is not a name in the sense of IDNA");
  }
  return name;
}

}  // namespace holdfast::app
