// Everything that one loop serves with: its stores, its cache, its handlers, its HTTP server. Nothing is shared with
// another loop, so that there can be several.
// Thread: the loop's.
#pragma once

#include "app/clicks/journal.h"
#include "app/clicks/recorder.h"
#include "app/config.h"
#include "app/http/admin.h"
#include "app/http/gate.h"
#include "app/http/routes.h"
#include "app/keys/key_ring.h"
#include "app/links/blocklist.h"
#include "app/links/feed.h"
#include "app/links/link_database.h"
#include "app/links/lookup.h"
#include "app/links/redis_cache.h"
#include "app/links/replicas.h"
#include "app/links/writer.h"
#include "app/store/postgres.h"
#include "app/store/redis.h"
#include "common/http/server.h"
#include "common/metrics/registry.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace holdfast::app {

class Service {
 public:
  /// `journal` is null where clicks are not recorded.
  Service(Loop& loop, Timeouts& timeouts, const Config& config, Blocklist blocklist, Journal* journal);
  ~Service();

  /// Begins to connect to the stores. `on_stores_known` once each is up or down, or has had its time to connect:
  /// whoever is let in before that is told that links cannot be written, for no reason that lasts. Never from inside
  /// this call.
  void start(std::function<void()> on_stores_known);
  Result<void> listen();
  Address address() const { return server_.address(); }
  Address admin_address() const { return admin_.address(); }

  void add_metrics(Registry::Collect collect) { metrics_.add(std::move(collect)); }

  /// From now on says that it is leaving, in /health and on every response, and goes on serving.
  void announce_leaving();
  /// Takes over what can be changed while it runs.
  void reload(const Config& config, Blocklist blocklist);
  /// Takes no more connections; `done` when the last response is out.
  void drain(std::function<void()> done);

 private:
  void look_at_stores();
  void collect(Scrape& scrape) const;

  Loop& loop_;
  const Config& config_;
  TimeoutClass& timeouts_first_word_;
  Timeout first_word_;
  TimePoint waits_until_{};
  std::function<void()> on_stores_known_;
  AppCounters counters_;
  Postgres primary_;
  Postgres feed_connection_;
  Replicas replicas_;
  std::unique_ptr<Redis> redis_;
  std::unique_ptr<RedisCache> shared_;
  LinkCache cache_;
  Blocklist blocklist_;
  PostgresLinks links_on_primary_;
  Lookup lookup_;
  Feed feed_;
  LinkWriter writer_;
  std::vector<Network> trusted_proxies_;
  ClickRecorder clicks_;
  KeyRing keys_;
  RateLimit rates_;
  Gate gate_;
  ReplyContext context_;
  RedirectHandler redirect_;
  LinksApi links_;
  StatsApi stats_;
  HealthHandler health_;
  Web web_;
  Registry metrics_;
  Router router_;
  AdminRouter admin_router_;
  HttpServer server_;
  HttpServer admin_;
};

}  // namespace holdfast::app
