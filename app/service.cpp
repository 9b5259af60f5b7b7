#include "app/service.h"

#include "common/units.h"

#include <algorithm>
#include <utility>

namespace holdfast::app {
namespace {

PostgresSettings primary_settings(const Config& config) {
  return {.name = "primary",
          .connection = {.dsn = config.primary,
                         .is_primary = true,
                         .timeout_connect = config.database.timeout_connect,
                         .timeout_statement = config.database.timeout_write * 3 / 4},
          .connections = config.database.connections,
          .queued_max = config.database.queue};
}

PostgresSettings replica_settings(const Config& config) {
  PostgresSettings settings = primary_settings(config);
  settings.name = "replica";
  settings.connection.dsn = config.replica;
  settings.connection.is_primary = false;
  return settings;
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

ServerLimits server_limits(const Config& config) {
  ServerLimits limits;
  limits.connections = config.connections_max;
  // What is a little over our own limit is read, and refused in the API's own words.
  limits.request_body_bytes = config.request_body_bytes + std::max(config.request_body_bytes, 1_MiB);
  return limits;
}

}  // namespace

Service::Service(Loop& loop, Timeouts& timeouts, const Config& config)
    : loop_(loop),
      config_(config),
      primary_(loop, timeouts, primary_settings(config)),
      replica_(loop, timeouts, replica_settings(config)),
      redis_(make_redis(loop, timeouts, config)),
      shared_(make_shared_cache(redis_.get(), config, counters_)),
      cache_(config.cache),
      links_on_replica_(replica_, Tier::Replica,
                        config.replica_is_primary ? config.database.timeout_lookup : config.database.timeout_replica),
      links_on_primary_(primary_, Tier::Primary, config.database.timeout_lookup),
      lookup_(loop,
              {.primary_rate = static_cast<double>(config.database.fallback_rate),
               .primary_burst = static_cast<double>(config.database.fallback_burst),
               .replica_is_primary = config.replica_is_primary},
              cache_, shared_.get(), links_on_replica_, links_on_primary_, counters_),
      writer_(loop, primary_, cache_, shared_.get(), lookup_, counters_, config.database.timeout_write),
      visits_(timeouts, {.flush_interval = config.visits_flush_interval, .deadline = config.database.timeout_write},
              primary_, counters_),
      context_{
          .counters = counters_, .problem_base = config.public_url, .request_body_bytes = config.request_body_bytes},
      redirect_(lookup_, visits_, primary_, config.database.timeout_write),
      links_(writer_, replica_, primary_,
             {.public_url = config.public_url,
              .target_bytes_max = config.links.target_bytes_max,
              .code_length = config.links.code_length,
              .requires_if_match = config.links.requires_if_match,
              .deadline = config.database.timeout_write}),
      stats_(replica_, primary_, config.database.timeout_write),
      health_(context_),
      web_(lookup_, links_),
      router_(context_, {redirect_, links_, stats_, health_, web_, metrics_}),
      server_(loop, timeouts, server_limits(config), router_) {
  health_.add(primary_.dependency());
  health_.add(replica_.dependency());
  if (redis_ != nullptr) health_.add(redis_->dependency());
  metrics_.add([this](Scrape& scrape) { collect(scrape); });
}

Service::~Service() { loop_.settle(); }

Result<void> Service::start() {
  if (auto opened = server_.listen(config_.listen); !opened) return opened;
  primary_.start();
  replica_.start();
  if (redis_ != nullptr) redis_->start();
  return {};
}

void Service::announce_leaving() {
  context_.is_draining = true;
  server_.announce_close();
}

void Service::drain(std::function<void()> done) {
  server_.drain([this, done = std::move(done)] { visits_.drain(done); });
}

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
  dependency(replica_.dependency(), replica_.breaker());
  if (redis_ != nullptr) dependency(redis_->dependency(), redis_->breaker());
  for (const auto& [name, pool] : {std::pair{"primary", &primary_}, std::pair{"replica", &replica_}}) {
    scrape.gauge("shortener_database_queued", "Statements that wait for a connection.", {{"dependency", name}},
                 static_cast<double>(pool->queued()));
    scrape.gauge("shortener_database_in_flight", "Statements under way.", {{"dependency", name}},
                 static_cast<double>(pool->in_flight()));
  }
  scrape.gauge("shortener_cache_entries", "Links in this process.", {}, static_cast<double>(cache_.entries()));
  scrape.gauge("shortener_cache_bytes", "Memory that they take.", {}, static_cast<double>(cache_.bytes()));
  scrape.counter("shortener_cache_evictions_total", "Links put out to make room.", {},
                 static_cast<double>(cache_.evictions()));
  scrape.gauge("shortener_lookups_under_way", "Codes that are being looked up.", {},
               static_cast<double>(lookup_.under_way()));
  scrape.gauge("shortener_visits_waiting", "Codes whose visits are to be written.", {},
               static_cast<double>(visits_.waiting()));
  const ServerCounts server = server_.counts();
  scrape.gauge("shortener_connections", "Clients' connections.", {}, static_cast<double>(server.open));
  scrape.counter("shortener_connections_total", "Connections taken.", {}, static_cast<double>(server.accepted));
  scrape.counter("shortener_requests_refused_total", "Requests refused before any handler saw them.", {},
                 static_cast<double>(server.refused));
}

}  // namespace holdfast::app
