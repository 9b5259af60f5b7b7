#include "lb/config/route_keys.h"

#include "common/http/rules.h"
#include "lb/routing/routes.h"
#include "lb/routing/target.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace holdfast::lb {
namespace {

Wrong parse_host(std::string& host, std::string_view text) {
  const std::string_view name = text.starts_with("*.") ? text.substr(2) : text;
  if (text == "*") {
    host = text;
    return std::nullopt;
  }
  if (name.find('*') != name.npos) return "not a host name; `*` is allowed alone or at the beginning, as *.example.com";
  if (!is_valid_host(name)) return "not a host name";
  if (host_of(name) != (name.ends_with('.') ? name.substr(0, name.size() - 1) : name)) return "a host has no port here";
  host = normal_route_host(text);
  return std::nullopt;
}

/// `*` in any place but a trailing `/*` would look like a wildcard and match nothing.
Wrong misplaced_wildcard(std::string_view path) {
  const auto star = path.find('*');
  if (star == path.npos || (path.ends_with("/*") && star == path.size() - 1)) return std::nullopt;
  const std::string_view before = path.substr(0, star);
  const bool is_last = star == path.size() - 1;  // `/api*` means /api; of `/api/*.php` only /api/ is sure
  const std::string prefix = normal_route_path(is_last ? before : before.substr(0, before.rfind('/') + 1));
  if (prefix.empty()) return "`*` is allowed only as `/*` at the end of a path; write / to match every path";
  return "`*` is allowed only as `/*` at the end of a path; write " + prefix +
         " to match it and all paths below it, or " + prefix + "/* to match only the paths below it";
}

Wrong parse_path(std::string& path, std::string_view text) {
  if (Wrong wrong = misplaced_wildcard(text)) return wrong;
  if (text.empty() || text.front() != '/') return "not a path";
  if (text.find('?') != std::string_view::npos || !is_valid_target(Method::Get, text)) {
    return "a query, a fragment or a byte that a path has not";
  }
  if (has_dot_segment(text)) return "a dot segment; requests with one are refused";
  path = normal_route_path(text);
  if (path.empty()) path = "/";
  return std::nullopt;
}

}  // namespace

void describe(Keys& keys, RouteSettings& route);

void describe(Keys& keys, RouteSettings& route) {
  keys.add_scalar(
      "host", "of the request; the closest wins, before any path",
      "a name, *.name for all names below it, or * for any",
      [&route](std::string_view text) { return parse_host(route.host, text); }, [&route] { return route.host; });
  keys.add_scalar(
      "path",
      "path of the request; the longest match wins. /api matches /api and all paths below it, /api/* matches only the "
      "paths below it. Case matters",
      "a path such as /api or /api/*", [&route](std::string_view text) { return parse_path(route.path, text); },
      [&route] { return route.path; });
  keys.add("pool", route.pool, "who takes it");
}

Keys::Added describe_routes(Keys& keys, std::vector<RouteSettings>& routes) {
  return keys.list_of<RouteSettings>(
      "routes", routes,
      "which pool takes which requests, 404 for the others; with one pool they may be "
      "left out, and it takes all. Where "
      "one goes by path, requests with a dot segment (`/../`, `%2e`) are refused (400)",
      "a list of sections with host, path and pool",
      [](RouteSettings&, std::string_view) -> Wrong { return "not a section; write {path: /api, pool: NAME}"; });
}

std::vector<WrongPart> wrong_routes(const std::vector<RouteSettings>& routes, const std::vector<PoolSettings>& pools) {
  std::vector<WrongPart> wrong;
  std::string names;
  for (const PoolSettings& pool : pools) names += (names.empty() ? "" : ", ") + pool.name;
  std::map<std::pair<std::string, std::string>, std::size_t> seen;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const RouteSettings& route = routes[i];
    const std::string part = "[" + std::to_string(i) + "]";
    const bool is_there =
        std::any_of(pools.begin(), pools.end(), [&route](const PoolSettings& pool) { return pool.name == route.pool; });
    if (route.pool.empty()) {
      wrong.push_back({part, "no pool; allowed: " + names});
    } else if (!is_there) {
      wrong.push_back({part + ".pool", "there is no pool '" + route.pool + "'; allowed: " + names});
    }
    const auto [first, is_new] = seen.try_emplace({route.host, route.path}, i);
    if (!is_new) wrong.push_back({part, "the same host and path as routes[" + std::to_string(first->second) + "]"});
  }
  return wrong;
}

}  // namespace holdfast::lb
