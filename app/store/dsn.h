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

/// One of the servers that a connection string names.
struct PgHost {
  std::string name;     // or the path of a Unix socket's folder
  std::string address;  // a numeric one that was given beside the name; may be empty
  std::string port;
  std::vector<std::string> addresses;  // where the name was looked up
};

/// A PostgreSQL connection string, `postgres://user:password@host:5432/name?…` or `host=… dbname=…`.
struct PostgresDsn {
  std::vector<std::pair<std::string, std::string>> parameters;  // all that were given, for libpq
  std::vector<PgHost> hosts;                                    // empty where libpq's default stands
  std::string shown;                                            // `host:port/name`, for people
};
tl::expected<PostgresDsn, std::string> parse_postgres_dsn(const std::string& text);

/// Several connection URLs, between them blanks or commas (a comma within a URL separates hosts of one server).
std::vector<std::string> split_urls(std::string_view text);

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
