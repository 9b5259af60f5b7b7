// Which pool takes a request: a table of hosts and path prefixes, made once and never changed.
// Among the routes that fit, the closest host decides (the name itself, then `*.name`, then any), then the longest
// path. Thread: any. Looking up allocates nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

struct Route {
  std::string host = "*";  // a name, `*.name` for all names below it, or `*`
  std::string path = "/";  // `/api`: itself and all paths below it; `/api/*`: only the paths below it
  std::size_t pool = 0;    // its place among the pools
};

class RouteTable {
 public:
  RouteTable() = default;
  explicit RouteTable(std::span<const Route> routes);

  /// The pool for this host (without port) and path (without query); nothing where no route fits.
  std::optional<std::size_t> find(std::string_view host, std::string_view path) const;
  /// Some route goes by path: what a path means must then be beyond doubt.
  bool has_paths() const { return has_paths_; }

 private:
  struct PathRoute {
    std::string prefix;  // ends in a slash if the path itself does not match; empty matches all
    std::size_t pool;
  };
  struct Host {
    std::string name;              // in lower case
    std::vector<PathRoute> paths;  // longest first
  };

  static const Host* find_host(const std::vector<Host>& hosts, std::string_view name);
  static std::optional<std::size_t> find_path(const Host& host, std::string_view path);

  std::vector<Host> names_;     // by name
  std::vector<Host> suffixes_;  // `.example.com` for `*.example.com`, by name
  Host any_;
  bool has_paths_ = false;
};

/// The host and path of a route in one spelling: lower case, no dot or slash at the end. Routes that are alike in it
/// are the same.
std::string normal_route_host(std::string_view host);
std::string normal_route_path(std::string_view path);

}  // namespace holdfast::lb
