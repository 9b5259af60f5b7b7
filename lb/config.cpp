#include "lb/config.h"

#include "lb/config/pool_keys.h"
#include "lb/config/process_keys.h"
#include "lb/config/route_keys.h"
#include "lb/pool/snapshot.h"

#include <algorithm>
#include <array>
#include <utility>

namespace holdfast::lb {
namespace {

constexpr std::string_view kNoServers = "missing; name at least one server, for example 'upstreams: [127.0.0.1:3001]'";

std::vector<WrongPart> wrong_pools(const Settings& settings) {
  std::vector<WrongPart> wrong;
  for (const PoolSettings& pool : settings.pools) {
    const std::string part = "." + pool.name;
    const bool is_word = pool.name.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == std::string::npos;
    if (!is_word || pool.name.size() > 64) {
      wrong.push_back({part, "not a name for a pool; allowed: up to 64 letters, digits, '_', '-' and '.'"});
    }
    if (pool.name == kUnrouted) {
      wrong.push_back({part, "that is what requests without a route are counted under; choose another name"});
    }
    if (pool.servers.empty()) wrong.push_back({part, "upstreams: " + std::string(kNoServers)});
    const bool is_routed = std::any_of(settings.routes.begin(), settings.routes.end(),
                                       [&pool](const RouteSettings& route) { return route.pool == pool.name; });
    if (!settings.routes.empty() && !is_routed) {
      wrong.push_back({part, "no route leads to this pool; give it one, or take it out"});
    }
  }
  return wrong;
}

/// Whether only one of both can be listened on.
bool overlap(const Address& a, const Address& b) {
  const auto is_any = [](const Address& address) { return address.host() == "0.0.0.0" || address.host() == "::"; };
  return a.is_set() && b.is_set() && a.port() != 0 && a.port() == b.port() && (a == b || is_any(a) || is_any(b));
}

/// Of one shape: pools by their names.
void describe_whole(Keys& keys, Settings& settings) {
  describe_process(keys, settings);
  keys.map("pools", settings.pools, "");
  describe_routes(keys, settings.routes);
}

/// Both shapes of the file: `pools:` with names, or one pool's keys at the top level.
struct Reading {
  Settings settings;
  PoolSettings single;
  Keys keys;

  Reading() {
    settings.admin = *Address::parse("127.0.0.1:9900");
    single.name = "default";
    describe_process(keys, settings);
    describe_pool(keys, single);
    keys.map("pools", settings.pools, "servers in groups; left out: upstreams and the keys beside it make one pool")
        .check([this]() -> Wrong {
          if (settings.pools.size() > 1 && settings.routes.empty()) {
            return "several pools, and no routes; say which takes what, for example 'routes: [{path: /, pool: " +
                   settings.pools.front().name + "}]'";
          }
          if (!single.servers.empty() && !settings.pools.empty())
            return "both pools and upstreams; keep one of the two";
          return std::nullopt;
        })
        .check_parts([this] { return wrong_pools(settings); });
    describe_routes(keys, settings.routes).check_parts([this] {
      return wrong_routes(settings.routes, settings.pools.empty() ? std::vector{single} : settings.pools);
    });
  }

  LoadedConfig finish(const std::string& name, std::vector<std::string> errors, const Resolve& resolve = resolve_now) {
    const bool pools_are_named = !settings.pools.empty();
    if (!pools_are_named) settings.pools.push_back(single);
    if (!errors.empty()) return {std::move(settings), std::move(errors), {}};
    std::vector<std::string> warnings;
    if (!settings.listen.is_set()) {
      errors.push_back(name + ": listen: missing; say where clients connect, for example 'listen: 127.0.0.1:8080'");
    }
    if (overlap(settings.listen, settings.admin)) {
      errors.push_back(name + ": admin.listen: the same address and port as listen; choose another port");
    }
    for (PoolSettings& pool : settings.pools) {
      const std::string key = pools_are_named ? "pools." + pool.name + ".upstreams" : std::string("upstreams");
      if (pool.servers.empty() && !pools_are_named) {
        errors.push_back(name + ": " + key + ": " + std::string(kNoServers));
      }
      for (ServerSettings& server : pool.servers) {
        if (const auto address = Address::parse(server.authority)) {
          server.address = *address;
        } else {
          server.is_name = true;
          auto resolved = resolve(server.authority);
          if (resolved) {
            server.resolved = std::move(*resolved);
            continue;
          }
          const std::string what =
              name + ": " + key + ": '" + server.authority + "': " + std::string(resolved.error().why);
          // Its container may come later; where nobody looks again it never would.
          if (pool.dns.refresh.count() == 0) {
            errors.push_back(what);
          } else {
            warnings.push_back(what + " It is down until then");
          }
        }
      }
    }
    return {std::move(settings), std::move(errors), std::move(warnings)};
  }
};

}  // namespace

LoadedConfig load_config(const std::string& file, const Resolve& resolve) {
  Reading reading;
  return reading.finish(file, read_config(file, reading.keys), resolve);
}

LoadedConfig load_config_text(const std::string& name, const std::string& text) {
  Reading reading;
  return reading.finish(name, read_config_text(name, text, reading.keys));
}

std::string dump_config(Settings& settings) {
  Keys keys;
  describe_whole(keys, settings);
  return dump_config(keys);
}

std::vector<ConfigChange> config_changes(Settings& before, Settings& after) {
  Keys old_keys;
  Keys new_keys;
  describe_whole(old_keys, before);
  describe_whole(new_keys, after);
  return config_changes(old_keys, new_keys);
}

bool is_fixed(const ConfigChange& change) {
  constexpr std::array<std::string_view, 6> kFixed{"listen", "workers", "log.access", "log.access_format",
                                                   "admin.", "limits."};
  return std::any_of(kFixed.begin(), kFixed.end(), [&change](std::string_view fixed) {
    return fixed.ends_with('.') ? change.key.starts_with(fixed) : change.key == fixed;
  });
}

std::string config_reference() {
  Reading reading;
  return config_reference(reading.keys);
}

}  // namespace holdfast::lb
