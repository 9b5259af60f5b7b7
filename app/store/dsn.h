// Connection strings of PostgreSQL and Redis, taken apart. Errors never show what could be a password.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace holdfast::app {

/// A PostgreSQL connection string, `postgres://user:password@host:5432/name?…` or `host=… dbname=…`.
struct PostgresDsn {
  std::vector<std::pair<std::string, std::string>> parameters;  // all that were given, for libpq
  std::string host;                                             // empty where libpq's default stands
  std::string shown;                                            // `host:port/name`, for people
};
tl::expected<PostgresDsn, std::string> parse_postgres_dsn(const std::string& text);

/// A Redis URL, `redis://[user][:password]@host[:6379][/number]` or `unix:///path[?db=number]`.
struct RedisUrl {
  std::string host;  // or the path of a Unix socket
  std::uint16_t port = 6379;
  std::string user;
  std::string password;
  int database = 0;
  std::string shown;

  bool is_unix() const { return !host.empty() && host.front() == '/'; }
};
tl::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace holdfast::app
