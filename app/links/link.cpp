#include "app/links/link.h"

#include "app/links/host.h"
#include "app/links/rules.h"
#include "common/http/head.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace holdfast::app {
namespace {

constexpr std::array<std::string_view, 28> kReserved{
    "api",         "rest",
    "health",      "healthz",
    "livez",       "readyz",
    "metrics",     "stats",
    "admin",       "login",
    "logout",      "static",
    "assets",      "docs",
    "problems",    "openapi.json",
    "robots",      "robots.txt",
    "favicon",     "favicon.ico",
    "sitemap",     "sitemap.xml",
    ".well-known", "qr",
    "links",       "apple-touch-icon",
    "ready",       "bulk",
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_code_byte(char c) { return is_digit(c) || is_alpha(c) || c == '_' || c == '-'; }
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

tl::unexpected<std::string_view> wrong(std::string_view why) { return tl::unexpected(why); }

struct Parts {
  bool is_https = false;
  std::string_view authority;
  std::size_t rest_at = 0;  // where the path, the query or the fragment begins
};

std::optional<Parts> split(std::string_view url) {
  const auto colon = url.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Parts parts;
  parts.is_https = equals_ignoring_case(url.substr(0, colon), "https");
  if (!parts.is_https && !equals_ignoring_case(url.substr(0, colon), "http")) return std::nullopt;
  if (url.substr(colon + 1, 2) != "//") return std::nullopt;
  const auto begin = colon + 3;
  parts.rest_at = std::min(url.find_first_of("/?#", begin), url.size());
  parts.authority = url.substr(begin, parts.rest_at - begin);
  return parts;
}

struct HostAndPort {
  std::string_view host;  // as given
  std::string_view port;  // with its colon; empty where there is none
};

HostAndPort split_authority(std::string_view authority) {
  const auto close = authority.starts_with('[') ? authority.find(']') : 0;
  if (close == std::string_view::npos) return {.host = authority, .port = {}};
  const auto colon = std::min(authority.find(':', close), authority.size());
  return {.host = authority.substr(0, colon), .port = authority.substr(colon)};
}

/// The host and port of an authority without userinfo; the error in words.
tl::expected<Origin, std::string_view> read_authority(std::string_view authority, std::uint16_t port_default) {
  const auto [given, port] = split_authority(authority);
  auto host = normal_host(given);
  if (!host) return tl::unexpected(host.error());
  Origin origin{.host = std::move(*host), .port = port_default};
  if (port.size() > 1) {
    const auto [end, problem] = std::from_chars(port.data() + 1, port.data() + port.size(), origin.port);
    if (problem != std::errc{} || end != port.data() + port.size() || origin.port == 0) {
      return wrong("the port must be a number from 1 to 65535");
    }
  }
  // An IPv4 address in IPv6's clothes leads to the same place.
  constexpr std::string_view kMapped = "[::ffff:";
  if (origin.host.starts_with(kMapped) && origin.host.find('.') != std::string::npos) {
    origin.host = origin.host.substr(kMapped.size(), origin.host.size() - kMapped.size() - 1);
  }
  return origin;
}

constexpr std::uint16_t port_of(bool is_https) { return is_https ? 443 : 80; }

}  // namespace

std::optional<Origin> origin_of(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return std::nullopt;
  const auto origin = read_authority(parts->authority, port_of(parts->is_https));
  return origin ? std::optional(*origin) : std::nullopt;
}

std::optional<Origin> origin_of_host(std::string_view host) {
  const auto origin = read_authority(host, 80);
  return origin ? std::optional(*origin) : std::nullopt;
}

tl::expected<std::string, std::string_view> checked_target(std::string_view given, std::size_t bytes_max) {
  if (given.empty()) return wrong("it is required");
  if (given.size() > std::min(bytes_max, kTargetBytesMax)) return wrong("it is too long");
  for (const char c : given) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x21 || byte == 0x7F) return wrong("blanks and control characters must be percent-encoded");
    if (c == '\\') return wrong("a backslash must be percent-encoded");
  }
  const auto parts = split(given);
  if (!parts) return wrong("it must begin with http:// or https://");
  if (parts->authority.find('@') != std::string_view::npos) return wrong("a user name or password is not allowed");
  if (const auto origin = read_authority(parts->authority, port_of(parts->is_https)); !origin) {
    return tl::unexpected(origin.error());
  }
  std::string target(given.substr(0, parts->rest_at));
  const auto [host, port] = split_authority(parts->authority);
  // A host of plain letters stays as it was typed; one that needs reading is written out, so that everybody reads
  // alike.
  if (auto normal = normal_host(host);
      normal && !equals_ignoring_case(*normal + ".", host) && !equals_ignoring_case(*normal, host)) {
    target.replace(parts->rest_at - parts->authority.size(), host.size(), *normal);
  }
  for (const char c : given.substr(parts->rest_at)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      target += c;
    } else {
      target += '%';
      target += "0123456789ABCDEF"[byte >> 4];
      target += "0123456789ABCDEF"[byte & 15];
    }
  }
  if (target.size() > kTargetBytesMax) return wrong("it is longer than 8192 bytes when percent-encoded");
  return target;
}

bool is_safe_target(std::string_view value) {
  const auto link = unpacked(value);
  if (!link) return false;
  const std::string_view target = link->target;
  if (target.size() > kTargetBytesMax || !split(target)) return false;
  return std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '\\'; });
}

std::optional<std::string_view> wrong_with_slug(std::string_view slug) {
  if (slug.empty()) return "it must not be empty";
  if (slug.size() > kCodeBytesMax) return "it is longer than 128 characters";
  if (!is_code(slug)) return "it may have letters of ASCII, digits, '-' and '_' only";
  if (is_reserved(slug)) return "it is a reserved word";
  return std::nullopt;
}

bool is_code(std::string_view text) {
  return !text.empty() && text.size() <= kCodeBytesMax && std::all_of(text.begin(), text.end(), is_code_byte);
}

bool is_reserved(std::string_view slug) {
  return std::any_of(kReserved.begin(), kReserved.end(),
                     [&](std::string_view word) { return equals_ignoring_case(word, slug); });
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

}  // namespace holdfast::app
