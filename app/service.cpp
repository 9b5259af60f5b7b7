#include "app/service.h"

#include "common/units.h"

#include <algorithm>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

/// How often it is asked whether the stores have said their first word, and how long after their time to connect.
constexpr auto kFirstWordTick = 5ms;
constexpr auto kFirstWordLate = 500ms;

PostgresSettings primary_settings(const Config& config) {
  return {.name = "primary",
          .connection = {.dsn = config.primary,
                         .is_primary = true,
                         .timeout_connect = config.database.timeout_connect,
                         .timeout_statement = config.database.timeout_write * 3 / 4},
          .connections = config.database.connections,
          .queued_max = config.database.queue};
}

/// A connection of its own, since it listens; nothing that is slow may stand before the feed.
PostgresSettings feed_settings(const Config& config) {
  PostgresSettings settings = primary_settings(config);
  settings.name = "feed";
  settings.connection.channel = "link_changes";
  settings.connections = 1;
  return settings;
}

std::vector<std::unique_ptr<Postgres>> make_replicas(Loop& loop, Timeouts& timeouts, const Config& config) {
  std::vector<std::unique_ptr<Postgres>> replicas;
  for (const PostgresDsn& dsn : config.replicas) {
    PostgresSettings settings = primary_settings(config);
    settings.name = "replica";
    if (config.replicas.size() > 1) settings.name += std::to_string(replicas.size() + 1);
    settings.connection.dsn = dsn;
    settings.connection.is_primary = false;
    replicas.push_back(std::make_unique<Postgres>(loop, timeouts, std::move(settings)));
  }
  return replicas;
}

/// For statistics: a connection to each, the primary last.
std::vector<std::unique_ptr<Postgres>> make_stats_servers(Loop& loop, Timeouts& timeouts, const Config& config) {
  std::vector<std::unique_ptr<Postgres>> servers;
  const auto add = [&](const PostgresDsn& dsn, bool is_primary) {
    PostgresSettings settings = primary_settings(config);
    settings.name = is_primary ? "statistics primary" : "statistics replica";
    settings.connection.dsn = dsn;
    settings.connection.is_primary = is_primary;
    settings.connections = 1;
    servers.push_back(std::make_unique<Postgres>(loop, timeouts, std::move(settings)));
  };
  if (!config.replica_is_primary) {
    for (const PostgresDsn& dsn : config.replicas) add(dsn, false);
  }
  add(config.primary, true);
  return servers;
}

std::unique_ptr<Redis> make_redis(Loop& loop, Timeouts& timeouts, const Config& config) {
  if (!config.redis_url) return nullptr;
  return std::make_unique<Redis>(loop, timeouts,
                                 RedisSettings{.url = *config.redis_url,
                                               .timeout_command = config.redis.timeout_command,
                                               .timeout_connect = config.redis.timeout_connect});
}

std::unique_ptr<RedisCache> make_shared_cache(Redis* redis, const Config& config, AppCounters& counters) {
  if (redis == nullptr) return nullptr;
  return std::make_unique<RedisCache>(*redis, RedisCacheSettings{.prefix = config.redis.prefix}, counters);
}

GateSettings gate_settings(const Config& config) {
  return {.auth = config.api.auth,
          .trusted_proxies = config.trusted_proxies,
          .rate_of_key = config.rate_limit.key,
          .rate_of_address = config.rate_limit.address,
          .cors_origins = config.api.cors_origins};
}

ServerLimits server_limits(const Config& config) {
  ServerLimits limits;
  limits.connections = config.connections_max;
  // What is a little over our own limit is read, and refused in the API's own words.
  limits.request_body_bytes = config.request_body_bytes + std::max(config.request_body_bytes, 1_MiB);
  return limits;
}

}  // namespace

Service::Service(Loop& loop, Timeouts& timeouts, const Config& config, Blocklist blocklist, Journal* journal)
    : loop_(loop),
      config_(config),
      timeouts_first_word_(timeouts.add_class()),
      first_word_(Timeout::calling<&Service::look_at_stores>(this)),
      primary_(loop, timeouts, primary_settings(config)),
      feed_connection_(loop, timeouts, feed_settings(config)),
      replicas_(
          loop, timeouts,
          {.deadline = config.replica_is_primary ? config.database.timeout_lookup : config.database.timeout_replica,
           .deadline_alone = std::max(config.database.timeout_replica, config.database.timeout_lookup),
           .is_primary = config.replica_is_primary},
          make_replicas(loop, timeouts, config)),
      redis_(make_redis(loop, timeouts, config)),
      shared_(make_shared_cache(redis_.get(), config, counters_)),
      cache_(config.cache),
      blocklist_(std::move(blocklist)),
      links_on_primary_(primary_, Tier::Primary, config.database.timeout_lookup),
      lookup_(loop, timeouts,
              {.primary_rate = static_cast<double>(config.database.fallback_rate),
               .primary_burst = static_cast<double>(config.database.fallback_burst),
               .replica_is_primary = config.replica_is_primary},
              cache_, shared_.get(), replicas_, links_on_primary_, counters_),
      feed_(loop, timeouts, {}, feed_connection_),
      writer_(loop, primary_, cache_, shared_.get(), lookup_, counters_, config.database.timeout_write),
      trusted_proxies_(config.trusted_proxies),
      clicks_(loop, config.clicks.recorder, journal),
      keys_(loop, timeouts, {.stale_max = config.api.keys_stale}, primary_,
            [this] { return replicas_.is_available() ? &replicas_.server() : nullptr; }),
      rates_(loop, redis_.get(), config.rate_limit.prefix),
      gate_(keys_, rates_, gate_settings(config)),
      context_{.counters = counters_,
               .problem_base = config.public_url,
               .has_admin_port = config.admin_listen.is_set(),
               .request_body_bytes = config.request_body_bytes},
      redirect_(lookup_, clicks_, primary_, blocklist_, trusted_proxies_, config.database.timeout_write),
      links_(loop, writer_, replicas_, primary_,
             {.public_url = config.public_url,
              .target_bytes_max = config.links.target_bytes_max,
              .code_length = config.links.code_length,
              .requires_if_match = config.links.requires_if_match,
              .deadline = config.database.timeout_write,
              .blocklist = &blocklist_}),
      stats_(make_stats_servers(loop, timeouts, config), config.database.timeout_write),
      health_(context_),
      web_(lookup_, links_),
      router_(context_, gate_, {redirect_, links_, stats_, health_, web_, metrics_}),
      admin_router_(context_, health_, metrics_),
      server_(loop, timeouts, server_limits(config), router_),
      admin_(loop, timeouts, {.connections = 100}, admin_router_) {
  health_.add(primary_.dependency());
  for (const Postgres* each : replicas_.servers()) health_.add(each->dependency());
  if (redis_ != nullptr) health_.add(redis_->dependency());
  feed_.add(lookup_);
  lookup_.expect_feed([this] { feed_.hurry(); });
  replicas_.set_on_progress([this] { lookup_.on_replica_progress(); });
  replicas_.set_has_primary([this] { return primary_.is_available(); });
  replicas_.follow(feed_);
  if (shared_ != nullptr) {
    feed_.add(*shared_);
    shared_->expect_feed([this] { feed_.replay(); });
  }
  metrics_.add([this](Scrape& scrape) { collect(scrape); });
}

Service::~Service() { loop_.settle(); }

void Service::start(std::function<void()> on_stores_known) {
  on_stores_known_ = std::move(on_stores_known);
  waits_until_ = loop_.now() + config_.database.timeout_connect + kFirstWordLate;
  primary_.start();
  feed_connection_.start();
  replicas_.start();
  stats_.start();
  feed_.start();
  keys_.start();
  if (redis_ != nullptr) redis_->start();
  look_at_stores();
}

void Service::look_at_stores() {
  const auto servers = replicas_.servers();
  // A primary that is away is still hoped for a moment: what came then would wait for it, and be refused.
  const bool is_primary_known =
      primary_.dependency().is_known() && (primary_.dependency().is_up() || !primary_.is_available());
  // Until they are read, every key is refused.
  const bool are_keys_known =
      config_.api.auth == ApiAuth::Open || keys_.has_read() || (!primary_.is_available() && !replicas_.is_available());
  const bool are_known =
      is_primary_known && are_keys_known && stats_.are_servers_known() &&
      (redis_ == nullptr || redis_->dependency().is_known()) &&
      std::all_of(servers.begin(), servers.end(), [](const Postgres* each) { return each->dependency().is_known(); });
  if (!are_known && loop_.now() < waits_until_) return timeouts_first_word_.arm(first_word_, kFirstWordTick);
  std::exchange(on_stores_known_, nullptr)();
}

Result<void> Service::listen() {
  if (config_.admin_listen.is_set()) {
    if (const auto opened = admin_.listen(config_.admin_listen); !opened) return opened;
  }
  return server_.listen(config_.listen);
}

void Service::reload(const Config& config, Blocklist blocklist) {
  gate_.set(gate_settings(config));
  trusted_proxies_ = config.trusted_proxies;
  blocklist_ = std::move(blocklist);
}

void Service::announce_leaving() {
  context_.is_draining = true;
  server_.announce_close();
}

void Service::drain(std::function<void()> done) { server_.drain(std::move(done)); }

void Service::collect(Scrape& scrape) const {
  collect_process(scrape, "shortener");
  collect_counters(counters_, scrape);
  const auto dependency = [&](const Dependency& each, const Breaker& breaker) {
    scrape.gauge("shortener_dependency_up", "1 where it can be used.", {{"dependency", each.name()}},
                 each.is_up() ? 1 : 0);
    scrape.gauge("shortener_breaker_state", "0 closed, 1 open, 2 half-open.", {{"dependency", each.name()}},
                 static_cast<double>(breaker.state()));
  };
  dependency(primary_.dependency(), primary_.breaker());
  for (const Postgres* each : replicas_.servers()) dependency(each->dependency(), each->breaker());
  if (redis_ != nullptr) dependency(redis_->dependency(), redis_->breaker());
  std::vector<const Postgres*> pools = replicas_.servers();
  pools.push_back(&primary_);
  for (const Postgres* pool : pools) {
    scrape.gauge("shortener_database_queued", "Statements that wait for a connection.",
                 {{"dependency", pool->dependency().name()}}, static_cast<double>(pool->queued()));
    scrape.gauge("shortener_database_in_flight", "Statements under way.", {{"dependency", pool->dependency().name()}},
                 static_cast<double>(pool->in_flight()));
  }
  for (const Replicas::Lag& lag : replicas_.lags()) {
    const std::string& name = lag.server.dependency().name();
    scrape.gauge("shortener_replica_lag_bytes", "Of the primary's log, what a replica has not replayed yet.",
                 {{"replica", name}}, static_cast<double>(lag.bytes));
    scrape.gauge("shortener_replica_lag_seconds", "Since the primary went beyond what a replica has replayed.",
                 {{"replica", name}}, std::chrono::duration<double>(lag.time).count());
  }
  scrape.gauge("shortener_invalidation_feed_up", "1 where changes are heard of within a second.", {},
               feed_.is_live() ? 1 : 0);
  scrape.gauge("shortener_feed_replaying", "1 while the changes of the past are read again, for Redis that is back.",
               {}, feed_.is_replaying() ? 1 : 0);
  scrape.gauge("shortener_blocked_hosts", "Hosts on the block list.", {}, static_cast<double>(blocklist_.size()));
  scrape.gauge("shortener_api_keys", "Valid API keys that are known here.", {}, static_cast<double>(keys_.keys()));
  scrape.gauge("shortener_unreplayed_links", "Changed links that no replica is asked for yet.", {},
               static_cast<double>(lookup_.unreplayed()));
  scrape.gauge("shortener_cache_entries", "Links in this process.", {}, static_cast<double>(cache_.entries()));
  scrape.gauge("shortener_cache_bytes", "Memory that the links in this process take.", {},
               static_cast<double>(cache_.bytes()));
  scrape.counter("shortener_cache_evictions_total", "Links put out to make room.", {},
                 static_cast<double>(cache_.evictions()));
  scrape.gauge("shortener_lookups_under_way", "Codes that are being looked up.", {},
               static_cast<double>(lookup_.under_way()));
  const ServerCounts server = server_.counts();
  scrape.gauge("shortener_connections", "Clients' connections.", {}, static_cast<double>(server.open));
  scrape.counter("shortener_connections_total", "Connections taken.", {}, static_cast<double>(server.accepted));
  scrape.counter("shortener_requests_refused_total", "Requests refused before any handler saw them.", {},
                 static_cast<double>(server.refused));
}

}  // namespace holdfast::app
