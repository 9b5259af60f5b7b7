#include "lb/config/values.h"

#include "common/net/address.h"

#include <charconv>
#include <string>

namespace holdfast::lb {
namespace {

constexpr std::string_view kStatusAllowed = "a status, a range or a class of them, such as 204, 200-299 or 2xx";

Wrong parse_status(std::vector<StatusRange>& ranges, std::string_view text) {
  const auto number = [](std::string_view digits) {
    int value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return problem == std::errc{} && end == digits.data() + digits.size() && value >= 100 && value <= 599 ? value : 0;
  };
  if (text.size() == 3 && (text.ends_with("xx") || text.ends_with("XX")) && text[0] >= '1' && text[0] <= '5') {
    const int first = (text[0] - '0') * 100;
    ranges.push_back({first, first + 99});
    return std::nullopt;
  }
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '5')
    return "not a status; write " + std::string(text) + "xx for a class";
  const auto dash = text.find('-');
  const StatusRange range{number(text.substr(0, dash)), number(dash == text.npos ? text : text.substr(dash + 1))};
  if (range.first == 0 || range.last < range.first) return "not a status";
  ranges.push_back(range);
  return std::nullopt;
}

std::vector<std::string> print_status(const std::vector<StatusRange>& ranges) {
  std::vector<std::string> texts;
  for (const StatusRange& range : ranges) {
    const std::string first = std::to_string(range.first);
    texts.push_back(range.first == range.last ? first : first + "-" + std::to_string(range.last));
  }
  return texts;
}

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

/// `text` with a port: its own, or `port`.
std::string with_port(std::string_view text, std::string_view port) {
  const auto colon = text.rfind(':');
  const bool has_port = colon != text.npos && is_number(text.substr(colon + 1));
  if (has_port) return std::string(text);
  const std::string_view host = text.ends_with(']') ? text : text.substr(0, colon);
  return std::string(host) + ":" + std::string(port);
}

std::string wrong_url(std::string_view text, std::size_t scheme_end) {
  const std::string_view scheme = text.substr(0, scheme_end);
  std::string_view authority = text.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  authority.remove_prefix(authority.rfind('@') + 1);  // npos + 1 is 0
  if (scheme == "https" || scheme == "wss" || scheme == "tls") {
    return "a URL with TLS, which lb does not support yet; write host:port of a port without TLS, for example " +
           with_port(authority, "80");
  }
  return "a URL; write host:port, for example " + with_port(authority, "80");
}

}  // namespace

Wrong wrong_host_port(std::string_view text) {
  if (text.empty()) return "empty; write host:port, for example 127.0.0.1:3001";
  for (const std::string_view prefix : {"unix:", "unix/", "unix@", "unix+", "abns@", "/", "@", "./"}) {
    if (!text.starts_with(prefix)) continue;
    return "a Unix socket, which lb does not support yet; use a TCP port and write host:port, for example "
           "127.0.0.1:3001";
  }
  if (const auto scheme_end = text.find("://"); scheme_end != text.npos) return wrong_url(text, scheme_end);
  if (const auto end = text.find_first_of(" \t,;"); end != text.npos) {
    return "more than one address, or options beside it; write each host:port as an element of its own, here " +
           with_port(text.substr(0, end), "80");
  }
  if (const auto slash = text.find('/'); slash != text.npos) {
    return "a path after the address; write only host:port, here " + with_port(text.substr(0, slash), "80");
  }
  if (is_number(text)) return "no host; write host:port, for example 127.0.0.1:" + std::string(text);
  const auto colon = text.rfind(':');
  const bool is_bracketed = text.front() == '[';
  if (!is_bracketed && text.find(':') != colon) return "an IPv6 address needs brackets: write [::1]:80";
  if (colon == text.npos || text.ends_with(']'))
    return "no port; write host:port, for example " + std::string(text) + ":80";
  const std::string_view port = text.substr(colon + 1);
  const auto dash = port.find('-');
  if (dash != port.npos && is_number(port.substr(0, dash)) && is_number(port.substr(dash + 1))) {
    return "a range of ports; write each port as an element of its own, beginning with " +
           std::string(text.substr(0, colon + 1)) + std::string(port.substr(0, dash));
  }
  if (const auto parts = split_host_port(text); !parts) return std::string(parts.error().why);
  return std::nullopt;
}

Keys::Added add_status(Keys& keys, std::string_view name, std::vector<StatusRange>& ranges, std::string_view help) {
  return keys.add_list(
      name, help, kStatusAllowed, [&ranges] { ranges.clear(); },
      [&ranges](std::string_view text) { return parse_status(ranges, text); },
      [&ranges] { return print_status(ranges); });
}

Wrong wrong_path(std::string_view path) {
  if (path.front() == '/' && path.find_first_of(" \t\r\n#") == path.npos) return std::nullopt;
  return "'" + std::string(path) + "' is not a path; allowed: a path such as /health";
}

}  // namespace holdfast::lb
