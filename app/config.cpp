#include "app/config.h"

#include "app/links/link.h"
#include "common/config/keys.h"
#include "common/units.h"

#include <functional>

namespace holdfast::app {

using namespace std::chrono_literals;

Config::Config()
    : listen(Address::parse("127.0.0.1:3000").value()),
      trusted_proxies{Network::parse("127.0.0.0/8").value(), Network::parse("::1/128").value()} {}

void describe(Keys& keys, DatabaseConfig& database);
void describe(Keys& keys, RedisConfig& redis);
void describe(Keys& keys, CacheSettings& cache);
void describe(Keys& keys, LinksConfig& links);
void describe(Keys& keys, ApiConfig& api);
void describe(Keys& keys, RateLimitConfig& rate_limit);
void describe(Keys& keys, ClicksSettings& clicks);
void describe(Keys& keys, WorkerSettings& worker);
void describe(Keys& keys, ShutdownConfig& shutdown);
void describe(Keys& keys, MaintainConfig& maintain);
void describe(Keys& keys, Config& config);

namespace {

Keys::Added add_address(Keys& keys, std::string_view name, Address& address, std::string_view help) {
  return keys.add_scalar(
      name, help, "host:port or [v6]:port",
      [&address](std::string_view text) -> Wrong {
        const auto parsed = Address::parse(text);
        if (!parsed) return std::string(parsed.error().why);
        address = *parsed;
        return std::nullopt;
      },
      [&address] { return address.is_set() ? address.text() : std::string(); });
}

struct LogView {
  Config& config;
};
void describe(Keys& keys, LogView& view) {
  keys.add_choice<log::Level>("level", view.config.log_level, "what is logged",
                              {{"debug", log::Level::Debug},
                               {"info", log::Level::Info},
                               {"warn", log::Level::Warn},
                               {"error", log::Level::Error}})
      .env("LOG_LEVEL");
  keys.add_choice<log::Format>("format", view.config.log_format, "how a line is written",
                               {{"text", log::Format::Text}, {"json", log::Format::Json}})
      .env("LOG_FORMAT");
}

struct AdminView {
  Config& config;
};
void describe(Keys& keys, AdminView& view) {
  add_address(
      keys, "listen", view.config.admin_listen,
      "where /metrics, /health and /ready are served; left out: /metrics on the main port, to this machine alone")
      .env("ADMIN_LISTEN");
}

struct LimitsView {
  Config& config;
};
void describe(Keys& keys, LimitsView& view) {
  keys.add("connections", view.config.connections_max, "clients at once; more are closed", std::size_t{1},
           std::size_t{1'000'000})
      .env("LIMITS_CONNECTIONS");
  keys.add_size("request_body", view.config.request_body_bytes, "a larger request is answered 413", 1_KiB, 16_MiB)
      .env("LIMITS_REQUEST_BODY");
}

/// The sections that are not structs of their own; they must live as long as the Keys.
struct Views {
  explicit Views(Config& config) : logs{config}, admin{config}, limits{config} {}
  LogView logs;
  AdminView admin;
  LimitsView limits;
};

void describe_all(Keys& keys, Config& config, Views& views) {
  describe(keys, config);
  keys.section("admin", views.admin, "the admin port");
  keys.section("log", views.logs, "logs");
  keys.section("limits", views.limits, "limits of requests");
}

Wrong wrong_with_public_url(const std::string& url) {
  if (url.empty()) return std::nullopt;
  std::string site = url;
  while (site.ends_with('/')) site.pop_back();
  const auto scheme_end = site.find("://");
  const bool has_path =
      scheme_end != std::string::npos && site.find_first_of("/?#", scheme_end + 3) != std::string::npos;
  if (checked_target(site) && !has_path) return std::nullopt;
  return "'" + url + "' is not the address of a site; allowed: http:// or https://, a host, perhaps a port, no path";
}

Wrong wrong_with_dsn(const std::string& url) {
  const auto parsed = parse_postgres_dsn(url);
  return parsed ? Wrong() : Wrong(parsed.error());
}

/// Fills in what follows from keys that were judged already.
void finish(Config& config) {
  if (auto primary = parse_postgres_dsn(config.database.url)) config.primary = std::move(*primary);
  const std::string& replica_url = config.database.replica_url;
  config.replica_is_primary = replica_url.empty() || replica_url == config.database.url;
  if (config.replica_is_primary) config.replicas = {config.primary};
  for (const std::string& url : split_urls(config.replica_is_primary ? std::string() : replica_url)) {
    if (auto replica = parse_postgres_dsn(url)) config.replicas.push_back(std::move(*replica));
  }
  if (!config.redis.url.empty()) {
    if (auto url = parse_redis_url(config.redis.url)) config.redis_url = std::move(*url);
  }
  if (config.port >= 0) config.listen = config.listen.with_port(static_cast<std::uint16_t>(config.port));
  while (config.public_url.ends_with('/')) config.public_url.pop_back();
}

LoadedConfig load(const std::function<std::vector<std::string>(Keys&)>& read) {
  LoadedConfig loaded;
  Keys keys;
  Views views(loaded.config);
  describe_all(keys, loaded.config, views);
  loaded.errors = read(keys);
  if (loaded.errors.empty()) finish(loaded.config);
  return loaded;
}

}  // namespace

void describe(Keys& keys, DatabaseConfig& database) {
  keys.add("url", database.url,
           "the primary; all writes go there. Several hosts may be named: the one that takes writes is used")
      .env("DATABASE_URL")
      .secret()
      .check([&database]() -> Wrong {
        if (database.url.empty())
          return "it is required; set it, or DATABASE_URL, to postgres://user:password@host:5432/name";
        return wrong_with_dsn(database.url);
      });
  keys.add("replica_url", database.replica_url,
           "where reads go, one URL or several with blanks or commas between them, each of one server; "
           "left out: to the primary")
      .env("DATABASE_REPLICA_URL")
      .secret()
      .check([&database]() -> Wrong {
        for (const std::string& url : split_urls(database.replica_url)) {
          if (const Wrong wrong = wrong_with_dsn(url)) return wrong;
        }
        return std::nullopt;
      });
  keys.add("connections", database.connections,
           "connections to each server; of those to the primary a half is for writes", std::size_t{1}, std::size_t{64})
      .env("DATABASE_CONNECTIONS");
  keys.add("queue", database.queue, "statements that may wait for a connection; more fail at once", std::size_t{1},
           std::size_t{1'000'000})
      .env("DATABASE_QUEUE");
  keys.add("timeout_connect", database.timeout_connect, "a connection must be ready after this", 10ms, 60'000ms)
      .env("DATABASE_TIMEOUT_CONNECT");
  keys.add("timeout_replica", database.timeout_replica, "a look-up on the replica; then the primary is asked", 1ms,
           60'000ms)
      .env("DATABASE_TIMEOUT_REPLICA");
  keys.add("timeout_lookup", database.timeout_lookup, "a look-up on the primary", 1ms, 60'000ms)
      .env("DATABASE_TIMEOUT_LOOKUP");
  keys.add("timeout_write", database.timeout_write, "a write, and a reading of statistics", 10ms, 60'000ms)
      .env("DATABASE_TIMEOUT_WRITE");
  keys.add("fallback_rate", database.fallback_rate,
           "codes a second that the primary is asked for because no replica knew them; for more a replica must prove "
           "that "
           "they do not exist, else they are answered 503",
           std::size_t{1}, std::size_t{10'000'000})
      .env("DATABASE_FALLBACK_RATE");
  keys.add("fallback_burst", database.fallback_burst, "so many of them at once", std::size_t{1},
           std::size_t{10'000'000})
      .env("DATABASE_FALLBACK_BURST");
}

void describe(Keys& keys, LinksConfig& links) {
  keys.add("code_length", links.code_length, "letters of a random code; codes of other lengths stay well",
           std::size_t{5}, std::size_t{32})
      .env("LINKS_CODE_LENGTH");
  keys.add_size("target_size", links.target_bytes_max, "the longest target", 64, 8_KiB).env("LINKS_TARGET_SIZE");
  keys.add("require_if_match", links.requires_if_match,
           "a change must name the version that it is for (If-Match), else it is answered 428")
      .env("LINKS_REQUIRE_IF_MATCH");
  keys.add("blocklist", links.blocklist,
           "a file of hosts, one a line, that no link may lead to, nor below them; read anew at SIGHUP")
      .env("LINKS_BLOCKLIST");
}

void describe(Keys& keys, RedisConfig& redis) {
  keys.add("url", redis.url, "redis://user:password@host:6379/0; left out: no Redis is used")
      .env("REDIS_URL")
      .secret()
      .check([&redis]() -> Wrong {
        if (redis.url.empty()) return std::nullopt;
        const auto parsed = parse_redis_url(redis.url);
        return parsed ? Wrong() : Wrong(parsed.error());
      });
  keys.add("timeout_command", redis.timeout_command, "the oldest command's; a miss takes Redis out of use", 1ms,
           10'000ms)
      .env("REDIS_TIMEOUT_COMMAND");
  keys.add("timeout_connect", redis.timeout_connect, "a connection must be ready after this", 10ms, 60'000ms)
      .env("REDIS_TIMEOUT_CONNECT");
  keys.add("prefix", redis.prefix, "what every key begins with").env("REDIS_PREFIX");
}

void describe(Keys& keys, CacheSettings& cache) {
  keys.add_size("size", cache.bytes_max, "memory for links in this process", 64_KiB, std::size_t{1} << 40)
      .env("CACHE_SIZE");
  keys.add("ttl", cache.ttl, "a link in memory is looked up anew after this", 10ms, 3'600'000ms).env("CACHE_TTL");
  keys.add("ttl_unproven", cache.ttl_unproven, "the same for what a replica said, which may be behind", 10ms,
           3'600'000ms)
      .env("CACHE_TTL_UNPROVEN");
  keys.add("stale", cache.stale_max, "an old copy is served so long when every store is away", 0ms,
           7 * 24 * 3'600'000ms)
      .env("CACHE_STALE");
}

void describe(Keys& keys, ApiConfig& api) {
  keys.add_choice<ApiAuth>("auth", api.auth,
                           "who may use the API: who bears a key (`shortener keys create`), or anybody, for a trial",
                           {{"keys", ApiAuth::Keys}, {"open", ApiAuth::Open}})
      .env("API_AUTH");
  keys.add("keys_stale", api.keys_stale, "keys are believed so long while no database can be asked about them", 1'000ms,
           7 * 24 * 3'600'000ms)
      .env("API_KEYS_STALE");
  keys.add_list(
          "cors_origins", "sites whose pages may call the API from a browser",
          "origins such as https://app.example, or *", [&api] { api.cors_origins.clear(); },
          [&api](std::string_view text) -> Wrong {
            for (const std::string& each : split_urls(std::string(text))) {
              if (each != "*" && wrong_with_public_url(each)) return "'" + each + "' is no origin";
              api.cors_origins.push_back(each);
            }
            return std::nullopt;
          },
          [&api] { return api.cors_origins; })
      .env("API_CORS_ORIGINS");
}

void describe(Keys& keys, RateLimitConfig& rate_limit) {
  constexpr std::size_t kMost = 1'000'000;
  keys.add("key", rate_limit.key.per_second, "calls of the API a second with one key; 0: as many as they like",
           std::size_t{0}, kMost)
      .env("RATE_LIMIT_KEY");
  keys.add("key_burst", rate_limit.key.burst, "calls at once after a rest", std::size_t{1}, kMost)
      .env("RATE_LIMIT_KEY_BURST");
  keys.add("address", rate_limit.address.per_second,
           "calls a second without a valid key from one /24 or /64; 0: as many as they like", std::size_t{0}, kMost)
      .env("RATE_LIMIT_ADDRESS");
  keys.add("address_burst", rate_limit.address.burst, "calls at once after a rest", std::size_t{1}, kMost)
      .env("RATE_LIMIT_ADDRESS_BURST");
  keys.add("prefix", rate_limit.prefix, "how the names of the buckets in Redis begin").env("RATE_LIMIT_PREFIX");
}

void describe(Keys& keys, ClicksSettings& clicks) {
  JournalSettings& journal = clicks.journal;
  ShipperSettings& shipper = clicks.shipper;
  keys.add("record", clicks.records, "count clicks at all").env("CLICKS_RECORD");
  keys.add("folder", journal.folder,
           "where this instance keeps clicks until the database has them; each instance needs one of its own")
      .env("CLICKS_FOLDER")
      .check([&journal]() -> Wrong {
        return journal.folder.empty() ? Wrong("it is empty; a folder is needed") : Wrong();
      });
  keys.add_size("size", journal.bytes_max, "the most that the folder takes; beyond it the oldest clicks are lost",
                1_MiB, std::size_t{1} << 40)
      .env("CLICKS_SIZE");
  keys.add_size("segment_size", journal.segment_bytes, "of one file in it", 64_KiB, 256_MiB).env("CLICKS_SEGMENT_SIZE");
  keys.add_choice<Fsync>("fsync", journal.fsync,
                         "when clicks are brought to the disk; only a loss of power makes a difference: off loses what "
                         "the kernel had not written yet, interval a second, always nothing, at the cost of a wait",
                         {{"off", Fsync::Off}, {"interval", Fsync::Interval}, {"always", Fsync::Always}})
      .env("CLICKS_FSYNC");
  keys.add("address", clicks.recorder.keeps_address, "keep clients' addresses, shortened to /24 or /48")
      .env("CLICKS_ADDRESS");
  keys.add("honour_dnt", clicks.recorder.honours_dnt,
           "of a client that sends DNT: 1 or Sec-GPC: 1 nothing is kept but that it clicked")
      .env("CLICKS_HONOUR_DNT");
  keys.add("stream", clicks.stream, "the stream in Redis that brings clicks to the workers").env("CLICKS_STREAM");
  keys.add("interval", shipper.interval, "clicks are sent to it this often", 10ms, 60'000ms).env("CLICKS_INTERVAL");
  keys.add("rate", shipper.rate_max, "so many a second at most, after an outage", std::size_t{100},
           std::size_t{10'000'000})
      .env("CLICKS_RATE");
  keys.add_size("ahead", shipper.ahead_bytes,
                "the most that is in Redis of this instance's clicks; the rest waits in its folder", 1_MiB,
                std::size_t{1} << 40)
      .env("CLICKS_AHEAD");
  keys.add("direct_after", shipper.direct_after,
           "Redis away for so long: clicks go into the primary without it, and without a worker", 0ms, 86'400'000ms)
      .env("CLICKS_DIRECT_AFTER");
  keys.add("timeout", shipper.timeout, "a command to the stream", 10ms, 60'000ms).env("CLICKS_TIMEOUT");
  keys.add("timeout_batch", shipper.timeout_batch, "a batch that goes into the primary", 100ms, 600'000ms)
      .env("CLICKS_TIMEOUT_BATCH");
}

void describe(Keys& keys, WorkerSettings& worker) {
  add_address(keys, "listen", worker.listen,
              "where /metrics, /health and /ready of a worker are served; left out: nowhere")
      .env("WORKER_LISTEN");
  keys.add("batch", worker.batch_clicks, "clicks that are stored at once", std::size_t{1}, std::size_t{100'000})
      .env("WORKER_BATCH");
  keys.add("batch_age", worker.batch_age, "they wait so long for others at most", 0ms, 60'000ms)
      .env("WORKER_BATCH_AGE");
  keys.add("takeover_after", worker.takeover_after, "what another worker took and left for so long is taken over",
           100ms, 3'600'000ms)
      .env("WORKER_TAKEOVER_AFTER");
  keys.add("timeout_batch", worker.timeout_batch, "of storing a batch; then it is tried again", 100ms, 600'000ms)
      .env("WORKER_TIMEOUT_BATCH");
}

void describe(Keys& keys, ShutdownConfig& shutdown) {
  keys.add("delay", shutdown.delay, "after SIGTERM /health says 503 so long before anything is closed", 0ms, 600'000ms)
      .env("SHUTDOWN_DELAY");
  keys.add("grace", shutdown.grace, "then requests under way have so long", 0ms, 600'000ms).env("SHUTDOWN_GRACE");
}

void describe(Keys& keys, MaintainConfig& maintain) {
  keys.add("retention", maintain.retention,
           "single clicks are kept so long, by whole months; what was counted of them stays for good", 24 * 3'600'000ms,
           10 * 366 * 24 * 3'600'000ms)
      .env("MAINTAIN_RETENTION");
}

void describe(Keys& keys, Config& config) {
  add_address(keys, "listen", config.listen, "where HTTP is served; port 0 takes a free one").env("LISTEN");
  keys.add("port", config.port, "instead of listen's port; -1: that one", -1, 65535).env("PORT");
  keys.add("public_url", config.public_url,
           "what short URLs begin with; left out: http:// and the host that the client asked")
      .env("PUBLIC_URL")
      .check([&config] { return wrong_with_public_url(config.public_url); });
  keys.section("database", config.database, "PostgreSQL");
  keys.section("redis", config.redis, "Redis");
  keys.section("cache", config.cache, "links in this process");
  keys.section("links", config.links, "links that are made");
  keys.section("api", config.api, "the API");
  keys.section("rate_limit", config.rate_limit, "how often the API may be called");
  keys.add_list(
          "trusted_proxies", "whose X-Forwarded-For is believed: the load balancer",
          "addresses and blocks such as 10.0.0.0/8", [&config] { config.trusted_proxies.clear(); },
          [&config](std::string_view text) -> Wrong {
            for (const std::string& each : split_urls(std::string(text))) {
              const auto network = Network::parse(each);
              if (!network) return std::string(network.error().why);
              config.trusted_proxies.push_back(*network);
            }
            return std::nullopt;
          },
          [&config] {
            std::vector<std::string> texts;
            for (const Network& network : config.trusted_proxies) texts.push_back(network.text());
            return texts;
          })
      .env("TRUSTED_PROXIES");
  keys.section("clicks", config.clicks, "clicks, from the redirect to the database");
  keys.section("worker", config.worker, "`shortener worker`, which stores them");
  keys.section("shutdown", config.shutdown, "the end");
  keys.section("maintain", config.maintain, "what `shortener maintain` removes");
}

LoadedConfig load_config(const std::string& file) {
  return load([&](Keys& keys) { return read_config(file, keys); });
}

LoadedConfig load_config_text(const std::string& name, const std::string& text) {
  return load([&](Keys& keys) { return read_config_text(name, text, keys); });
}

std::string dump_config(Config& config) {
  Keys keys;
  Views views(config);
  describe_all(keys, config, views);
  return dump_config(keys);
}

std::string config_reference() {
  Config config;
  Keys keys;
  Views views(config);
  describe_all(keys, config, views);
  return config_reference(keys);
}

}  // namespace holdfast::app
