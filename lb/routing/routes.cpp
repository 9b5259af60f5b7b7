#include "lb/routing/routes.h"

#include "lb/routing/target.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether `name`, in lower case, stands before `other` in any case.
bool is_before(std::string_view name, std::string_view other) {
  return std::lexicographical_compare(name.begin(), name.end(), other.begin(), other.end(),
                                      [](char a, char b) { return lower(a) < lower(b); });
}

/// `/api` takes `/api` and `/api/x`, not `/apix`; `/api/` takes `/api/` and `/api/x`, not `/api`.
bool fits(std::string_view path, std::string_view prefix) {
  const bool is_below_only = prefix.ends_with('/');
  while (!prefix.empty()) {
    if (path.empty() || take_path_char(path) != take_path_char(prefix)) return false;
  }
  return is_below_only || path.empty() || path.front() == '/';
}

}  // namespace

std::string normal_route_host(std::string_view host) {
  std::string out(host.size() > 1 && host.back() == '.' ? host.substr(0, host.size() - 1) : host);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string normal_route_path(std::string_view path) {
  const bool is_below_only = path.ends_with("/*");
  if (is_below_only) path.remove_suffix(2);
  std::string out = normal_path(path);
  while (!out.empty() && out.back() == '/') out.pop_back();
  return is_below_only && !out.empty() ? out + "/*" : out;
}

RouteTable::RouteTable(std::span<const Route> routes) {
  const auto host_named = [](std::vector<Host>& hosts, std::string_view name) -> Host& {
    for (Host& host : hosts) {
      if (host.name == name) return host;
    }
    return hosts.emplace_back(Host{std::string(name), {}});
  };
  for (const Route& route : routes) {
    const std::string name = normal_route_host(route.host);
    const bool is_suffix = name.starts_with("*.");
    Host& host = name == "*" ? any_ : is_suffix ? host_named(suffixes_, name.substr(1)) : host_named(names_, name);
    std::string prefix = normal_route_path(route.path);
    if (prefix.ends_with("/*")) prefix.pop_back();
    host.paths.push_back({std::move(prefix), route.pool});
    has_paths_ = has_paths_ || !host.paths.back().prefix.empty();
  }
  const auto sort_paths = [](Host& host) {
    std::stable_sort(host.paths.begin(), host.paths.end(),
                     [](const PathRoute& a, const PathRoute& b) { return a.prefix.size() > b.prefix.size(); });
  };
  const auto by_name = [](const Host& a, const Host& b) { return a.name < b.name; };
  for (std::vector<Host>* hosts : {&names_, &suffixes_}) {
    std::for_each(hosts->begin(), hosts->end(), sort_paths);
    std::sort(hosts->begin(), hosts->end(), by_name);
  }
  sort_paths(any_);
}

std::optional<std::size_t> RouteTable::find(std::string_view host, std::string_view path) const {
  if (const Host* named = find_host(names_, host)) {
    if (const auto pool = find_path(*named, path)) return pool;
  }
  if (!suffixes_.empty()) {
    // The longest suffix is the closest name; there is something before its dot.
    for (auto dot = host.find('.', 1); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
      const Host* above = find_host(suffixes_, host.substr(dot));
      if (above == nullptr) continue;
      if (const auto pool = find_path(*above, path)) return pool;
    }
  }
  return find_path(any_, path);
}

const RouteTable::Host* RouteTable::find_host(const std::vector<Host>& hosts, std::string_view name) {
  const auto found = std::lower_bound(hosts.begin(), hosts.end(), name, [](const Host& host, std::string_view other) {
    return is_before(host.name, other);
  });
  return found != hosts.end() && !is_before(name, found->name) ? &*found : nullptr;
}

std::optional<std::size_t> RouteTable::find_path(const Host& host, std::string_view path) {
  for (const PathRoute& route : host.paths) {
    if (fits(path, route.prefix)) return route.pool;
  }
  return std::nullopt;
}

}  // namespace holdfast::lb
