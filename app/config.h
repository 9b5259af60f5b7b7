// Every key of the shortener's configuration; each is an environment variable too. The only file here that knows YAML.
// Thread: any.
#pragma once

#include "app/clicks/settings.h"
#include "app/keys/api_key.h"
#include "app/keys/rate_limit.h"
#include "app/links/cache.h"
#include "app/links/lookup.h"
#include "app/store/dsn.h"
#include "common/log.h"
#include "common/net/address.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::app {

struct DatabaseConfig {
  std::string url;
  std::string replica_url;  // one or several; empty: url
  std::size_t connections = 2;
  std::size_t queue = 1024;
  std::chrono::milliseconds timeout_connect{2'000};
  std::chrono::milliseconds timeout_replica{50};
  std::chrono::milliseconds timeout_lookup{250};
  std::chrono::milliseconds timeout_write{2'000};
  std::size_t fallback_rate = 5'000;
  std::size_t fallback_burst = 10'000;
};

struct RedisConfig {
  std::string url;  // empty: there is none
  std::chrono::milliseconds timeout_command{5};
  std::chrono::milliseconds timeout_connect{500};
  std::string prefix = "holdfast:link:";
};

struct LinksConfig {
  std::size_t code_length = 7;
  std::size_t target_bytes_max = 2048;
  bool requires_if_match = false;
  std::string blocklist;  // a file; empty: there is none
};

struct ApiConfig {
  ApiAuth auth = ApiAuth::Keys;
  std::chrono::milliseconds keys_stale{24 * 3'600'000};
  std::vector<std::string> cors_origins;
};

struct RateLimitConfig {
  RateRule key{.per_second = 100, .burst = 200};
  RateRule address{.per_second = 20, .burst = 60};
  std::string prefix = "holdfast:rate:";
};

struct MaintainConfig {
  std::chrono::milliseconds retention{std::chrono::hours(24 * 90)};
};

struct ShutdownConfig {
  std::chrono::milliseconds delay{1'000};
  std::chrono::milliseconds grace{10'000};
};

struct Config {
  Address listen;
  Address admin_listen;  // not set: there is no admin port
  int port = -1;         // where not -1, instead of listen's
  std::string public_url;
  log::Level log_level = log::Level::Info;
  log::Format log_format = log::Format::Text;
  DatabaseConfig database;
  RedisConfig redis;
  CacheSettings cache;
  LinksConfig links;
  ApiConfig api;
  RateLimitConfig rate_limit;
  std::vector<Network> trusted_proxies;
  ClicksSettings clicks;
  WorkerSettings worker;
  ShutdownConfig shutdown;
  MaintainConfig maintain;
  std::size_t connections_max = 10'000;
  std::size_t request_body_bytes = 1024 * 1024;

  // What follows from the above:
  PostgresDsn primary;
  std::vector<PostgresDsn> replicas;  // at least one
  std::optional<RedisUrl> redis_url;
  bool replica_is_primary = false;

  Config();
};

struct LoadedConfig {
  Config config;
  std::vector<std::string> errors;  // each with its place, none with a password; empty where all is well
};

/// Reads `file` (none where empty), then the environment, and judges the whole.
LoadedConfig load_config(const std::string& file);
/// As load_config(), from text; `name` stands for the file in errors.
LoadedConfig load_config_text(const std::string& name, const std::string& text);

/// What is in force, as YAML; secrets are hidden.
std::string dump_config(Config& config);
/// A Markdown table of all keys.
std::string config_reference();

}  // namespace holdfast::app
