#include "app/operate/stores.h"

#include "app/store/number.h"
#include "app/store/statements.h"

#include <cstdlib>

namespace holdfast::app {

tl::expected<Session, std::string> open_primary(const OperateSettings& settings, const char* program) {
  auto session = Session::open(settings.primary, {.program = program});
  if (session) {
    // The schema may be older than this program.
    const auto table = session->run("SELECT to_regclass('dead_clicks') IS NOT NULL");
    if (table && table->is_true(0, 0)) return session;
    return tl::unexpected("the primary " + settings.primary.shown +
                          " has no tables for clicks yet: run shortener migrate");
  }
  return tl::unexpected("the primary " + settings.primary.shown + " cannot be reached: " + session.error() +
                        "\n  start it, or correct database.url (DATABASE_URL); clicks wait in the journals meanwhile");
}

tl::expected<RedisSession, std::string> open_redis(const OperateSettings& settings) {
  if (!settings.redis) {
    return tl::unexpected<std::string>(
        "no Redis is configured (redis.url, REDIS_URL): clicks go from the journals straight into the primary");
  }
  auto session = RedisSession::open(*settings.redis, std::chrono::seconds(3));
  if (session) return session;
  return tl::unexpected("Redis " + settings.redis->shown + " cannot be reached: " + session.error() +
                        "\n  start it, or correct redis.url (REDIS_URL); clicks wait in the journals meanwhile, or go "
                        "straight into the primary");
}

std::string text_array(const std::vector<std::string>& items) {
  return array_literal(std::vector<std::string_view>(items.begin(), items.end()));
}

std::int64_t number_at(const Rows& rows, int row, int column) { return number_of(rows.text(row, column)); }

double seconds_at(const Rows& rows, int row, int column) {
  return std::strtod(std::string(rows.text(row, column)).c_str(), nullptr);
}

}  // namespace holdfast::app
