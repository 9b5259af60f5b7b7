#include "lb/config.h"

#include "common/net/resolver.h"
#include "lb/config/pool_keys.h"
#include "lb/config/process_keys.h"

#include <utility>

namespace holdfast::lb {
namespace {

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
          if (settings.pools.size() > 1) return "more than one pool, and nothing to choose between them; keep one";
          if (!single.servers.empty() && !settings.pools.empty())
            return "both pools and upstreams; keep one of the two";
          return std::nullopt;
        });
  }

  LoadedConfig finish(const std::string& name, std::vector<std::string> errors) {
    if (settings.pools.empty()) settings.pools.push_back(single);
    if (!errors.empty()) return {std::move(settings), std::move(errors)};
    if (!settings.listen.is_set()) {
      errors.push_back(name + ": listen: missing; say where clients connect, for example 'listen: 127.0.0.1:8080'");
    }
    for (PoolSettings& pool : settings.pools) {
      if (pool.servers.empty()) {
        errors.push_back(name +
                         ": upstreams: missing; name at least one server, for example 'upstreams: [127.0.0.1:3001]'");
      }
      for (ServerSettings& server : pool.servers) {
        const auto address = resolve_now(server.authority);
        if (address) {
          server.address = *address;
        } else {
          errors.push_back(name + ": upstreams: '" + server.authority + "': " + std::string(address.error().why));
        }
      }
    }
    return {std::move(settings), std::move(errors)};
  }
};

}  // namespace

LoadedConfig load_config(const std::string& file) {
  Reading reading;
  return reading.finish(file, read_config(file, reading.keys));
}

LoadedConfig load_config_text(const std::string& name, const std::string& text) {
  Reading reading;
  return reading.finish(name, read_config_text(name, text, reading.keys));
}

std::string dump_config(Settings& settings) {
  Keys keys;
  describe_process(keys, settings);
  keys.map("pools", settings.pools, "");
  return dump_config(keys);
}

std::string config_reference() {
  Reading reading;
  return config_reference(reading.keys);
}

}  // namespace holdfast::lb
