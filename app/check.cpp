#include "app/check.h"

#include "app/links/blocklist.h"
#include "app/store/hashes.h"
#include "app/store/migrations.h"
#include "app/store/redis_check.h"
#include "app/store/session.h"
#include "common/net/listener.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace holdfast::app {
namespace {

class Report {
 public:
  void well(const std::string& what, const std::string& how) { line("ok    ", what, how); }
  void advise(const std::string& what, const std::string& how) { line("hint  ", what, how); }
  void wrong(const std::string& what, const std::string& why) {
    line("WRONG ", what, why);
    report_.is_well = false;
  }
  CheckReport take() { return std::move(report_); }

 private:
  void line(const char* verdict, const std::string& what, const std::string& rest) {
    report_.text += verdict + what + ": " + rest + "\n";
  }
  CheckReport report_;
};

std::string plural(std::size_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

/// Which schema is it, and is it this release's?
void check_schema(Session& session, const std::string& what, Report& report) {
  const auto rows = session.run("SELECT name, checksum FROM schema_migrations");
  if (!rows) return report.wrong(what, "it has no schema yet: run shortener migrate (" + rows.error() + ")");
  std::map<std::string, std::string, std::less<>> applied;
  for (int row = 0; row < rows->count(); ++row) applied.emplace(rows->text(row, 0), rows->text(row, 1));
  std::size_t missing = 0;
  std::string changed;
  for (const Migration& file : migrations()) {
    const auto found = applied.find(file.name);
    if (found == applied.end()) {
      ++missing;
    } else if (found->second != sha256_hex(file.sql)) {
      changed = file.name;
    }
  }
  if (!changed.empty()) return report.wrong(what, "its migration " + changed + " is not this release's");
  if (missing > 0) return report.wrong(what, plural(missing, "migration") + " missing: run shortener migrate");
  const std::size_t newer = applied.size() - migrations().size();
  report.well(what, plural(migrations().size(), "migration") +
                        (newer == 0 ? "" : ", and " + std::to_string(newer) + " of a newer release"));
}

/// The cluster's identity, which replicas share; empty where it cannot be read.
std::string identity_of(Session& session) {
  const auto rows = session.run("SELECT system_identifier FROM pg_control_system()");
  return rows && rows->count() == 1 ? std::string(rows->text(0, 0)) : std::string();
}

std::string check_primary(const Config& config, Report& report) {
  const std::string what = "primary " + config.primary.shown;
  auto session = Session::open(config.primary, {.program = "shortener check", .say = [](std::string_view) {}});
  if (!session) {
    report.wrong(what, session.error());
    return {};
  }
  const auto settings = session->run("SHOW server_version");
  report.well(what, "PostgreSQL " + (settings ? std::string(settings->text(0, 0)) : std::string("?")));
  check_schema(*session, what, report);
  const auto room = session->run(
      "SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity WHERE backend_type = 'client "
      "backend'");
  int left = 0;
  if (room) std::from_chars(room->text(0, 0).data(), room->text(0, 0).data() + room->text(0, 0).size(), left);
  // Its own, the feed's, and that of statistics.
  const auto wanted = static_cast<int>(config.database.connections) + 2;
  if (room && left < wanted) {
    report.wrong(what, "of its max_connections " + std::to_string(left) + " are left; an instance wants " +
                           std::to_string(wanted));
  }
  return identity_of(*session);
}

void check_replica(const PostgresDsn& dsn, const std::string& primary_identity, Report& report) {
  const std::string what = "replica " + dsn.shown;
  auto session = Session::open(dsn, {.program = "shortener check", .target = "any", .say = [](std::string_view) {}});
  if (!session) return report.wrong(what, session.error());
  const std::string identity = identity_of(*session);
  if (!identity.empty() && !primary_identity.empty() && identity != primary_identity) {
    return report.wrong(what, "it is no copy of the primary, but of another cluster");
  }
  const auto state = session->run(
      "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END, "
      "CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') "
      "ELSE true END");
  if (!state) return report.wrong(what, state.error());
  if (!state->is_true(0, 0)) return report.advise(what, "it takes writes itself: it is no replica");
  if (state->is_true(0, 1)) return report.wrong(what, "its replay is paused: SELECT pg_wal_replay_resume()");
  if (!state->is_true(0, 2)) return report.wrong(what, "it does not receive from its primary");
  report.well(what, "it follows");
  check_schema(*session, what, report);
}

void check_cache(const Config& config, Report& report) {
  if (!config.redis_url) return report.advise("redis", "none is named: each instance caches for itself");
  const std::string what = "redis " + config.redis_url->shown;
  const RedisFindings findings = check_redis(*config.redis_url, config.redis.timeout_connect);
  if (!findings.wrong.empty()) return report.wrong(what, findings.wrong);
  report.well(what, "Redis " + findings.version);
  for (const std::string& each : findings.advice) report.advise(what, each);
}

void check_address(const std::string& what, const Address& address, Report& report) {
  if (!address.is_set()) return;
  if (const auto free = check_address_free(address); !free) {
    return report.advise(what + " " + address.text(), std::string(free.error().why) + " (an instance that runs?)");
  }
  report.well(what + " " + address.text(), "it is free");
}

}  // namespace

CheckReport check_dependencies(const Config& config) {
  Report report;
  const std::string identity = check_primary(config, report);
  if (!config.replica_is_primary) {
    for (const PostgresDsn& dsn : config.replicas) check_replica(dsn, identity, report);
  }
  check_cache(config, report);
  if (!config.links.blocklist.empty()) {
    const auto list = Blocklist::read(config.links.blocklist);
    list ? report.well("block list", plural(list->size(), "host")) : report.wrong("block list", list.error());
  }
  check_address("listen", config.listen, report);
  check_address("admin", config.admin_listen, report);
  if (config.api.auth == ApiAuth::Open) report.advise("api.auth", "open: anybody may change every link");
  return report.take();
}

}  // namespace holdfast::app
