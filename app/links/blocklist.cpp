#include "app/links/blocklist.h"

#include "app/links/host.h"
#include "app/links/link.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace holdfast::app {

tl::expected<Blocklist, std::string> Blocklist::read(const std::string& file) {
  if (file.empty()) return Blocklist();
  std::ifstream in(file, std::ios::binary);
  if (!in) return tl::unexpected(file + ": " + std::strerror(errno));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return tl::unexpected(file + ": it cannot be read");
  return parse(text, file);
}

tl::expected<Blocklist, std::string> Blocklist::parse(std::string_view text, const std::string& name) {
  Blocklist list;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.starts_with("*.")) line.remove_prefix(2);
    if (line.empty()) continue;
    auto host = normal_host(line);
    if (!host) {
      return tl::unexpected(name + ":" + std::to_string(number) + ": " + std::string(host.error()) +
                            "; allowed: a host a line, such as example.com");
    }
    list.hosts_.insert(std::move(*host));
  }
  return list;
}

bool Blocklist::has(std::string_view host) const {
  while (!host.empty() && !hosts_.empty()) {
    if (hosts_.contains(host)) return true;
    const auto dot = host.find('.');
    if (dot == std::string_view::npos) return false;
    host.remove_prefix(dot + 1);
  }
  return false;
}

bool Blocklist::has_target(std::string_view target) const {
  if (hosts_.empty()) return false;
  const auto origin = origin_of(target);
  return origin && has(origin->host);
}

}  // namespace holdfast::app
