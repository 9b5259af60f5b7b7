#include "lb/routing/target.h"

namespace holdfast::lb {
namespace {

constexpr std::uint16_t kEncoded = 256;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// RFC 3986 §2.3.
bool is_unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

RequestPlace place_of(const RequestHead& head) {
  std::string_view authority = head.host;
  std::string_view path = head.target;
  if (path.front() != '/') {
    const auto scheme_end = path.find("://");
    if (scheme_end == std::string_view::npos) return {.authority = authority, .path = {}};  // `*`
    const std::string_view rest = path.substr(scheme_end + 3);
    authority = rest.substr(0, rest.find_first_of("/?"));
    path = rest.substr(authority.size());
  }
  return {.authority = authority, .path = path.substr(0, path.find('?'))};
}

std::string_view host_of(std::string_view authority) {
  // The colons of an address stand in brackets.
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view host = authority.substr(0, colon);
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

bool has_dot_segment(std::string_view path) {
  std::size_t dots = 0;
  bool is_dots = true;  // nothing but dots in this segment so far
  while (!path.empty()) {
    const std::uint16_t c = take_path_char(path);
    const bool is_end = c == '/' || c == '\\' || c == ';' || c == kEncoded + '/' || c == kEncoded + '\\';
    if (is_end) {
      if (is_dots && (dots == 1 || dots == 2)) return true;
      // What follows a `;` is a parameter of its segment.
      is_dots = c != ';';
      dots = 0;
    } else if (c == '.') {
      ++dots;
    } else {
      is_dots = false;
    }
  }
  return is_dots && (dots == 1 || dots == 2);
}

std::uint16_t take_path_char(std::string_view& path) {
  const char c = path.front();
  if (c == '%' && path.size() >= 3) {
    const int high = hex_value(path[1]);
    const int low = hex_value(path[2]);
    if (high >= 0 && low >= 0) {
      path.remove_prefix(3);
      const int byte = high * 16 + low;
      return static_cast<std::uint16_t>(is_unreserved(byte) ? byte : kEncoded + byte);
    }
  }
  path.remove_prefix(1);
  return static_cast<unsigned char>(c);
}

std::string normal_path(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  while (!path.empty()) {
    const std::uint16_t c = take_path_char(path);
    if (c < kEncoded) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kDigits[(c >> 4) & 15U];
      out += kDigits[c & 15U];
    }
  }
  return out;
}

}  // namespace holdfast::lb
