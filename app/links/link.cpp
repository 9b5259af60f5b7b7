#include "app/links/link.h"

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

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
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

/// The host and port of an authority without userinfo; the error in words.
tl::expected<Origin, std::string_view> read_authority(std::string_view authority, std::uint16_t port_default) {
  std::string_view host = authority;
  std::string_view port;
  bool has_port = false;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return wrong("the host's brackets do not close");
    has_port = close + 1 < host.size();
    if (has_port && host[close + 1] != ':') return wrong("the host is not valid");
    port = has_port ? host.substr(close + 2) : std::string_view{};
    host = host.substr(0, close + 1);
    const bool is_address =
        std::all_of(host.begin() + 1, host.end() - 1, [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
    if (!is_address) return wrong("the host is not an IPv6 address");
  } else {
    const auto colon = host.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) {
      port = host.substr(colon + 1);
      host = host.substr(0, colon);
    }
    if (host.empty()) return wrong("a host is required");
    const bool is_name = std::all_of(host.begin(), host.end(), [](char c) { return is_code_byte(c) || c == '.'; });
    if (!is_name)
      return wrong(
          "the host may have letters of ASCII, digits, '-', '_' and '.' only (a name in other "
          "letters has a form that begins with xn--)");
    if (host.find("..") != std::string_view::npos || host.front() == '.') return wrong("the host is not valid");
    if (host.size() > 253) return wrong("the host is longer than 253 bytes");
  }
  Origin origin{.host = in_lower_case(host), .port = port_default};
  if (origin.host.ends_with('.')) origin.host.pop_back();
  if (has_port && !port.empty()) {
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), origin.port);
    if (problem != std::errc{} || end != port.data() + port.size() || origin.port == 0) {
      return wrong("the port must be a number from 1 to 65535");
    }
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
