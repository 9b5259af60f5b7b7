#include "app/store/dsn.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast::app;

TEST_CASE("a PostgreSQL URL is shown without its user and password") {
  const auto dsn = parse_postgres_dsn("postgres://app:secret@db.example:6432/links");
  REQUIRE(dsn);
  CHECK(dsn->hosts.at(0).name == "db.example");
  CHECK(dsn->shown == "db.example:6432/links");
}

TEST_CASE("key=value connection strings and socket folders are taken as well") {
  const auto dsn = parse_postgres_dsn("host=/run/postgresql dbname=links user=app");
  REQUIRE(dsn);
  CHECK(dsn->hosts.at(0).name == "/run/postgresql");
  CHECK(dsn->shown == "/run/postgresql:5432/links");
}

TEST_CASE("an unusable connection string is refused, and the error never shows the password") {
  for (const std::string text : {"postgres//app:secret@host/links", "postgres://app:secret@host/links?nonsense=1",
                                 "host = 'secret", "postgres://app:secret@host:99999/links",
                                 "postgres://app:secret@host:port/links", "secret", "postgres://app:secret@[::1/links",
                                 "postgres://app:secret@a:1,b:0/links", "postgres://app:%zzsecret@host/links"}) {
    CAPTURE(text);
    const auto dsn = parse_postgres_dsn(text);
    REQUIRE_FALSE(dsn);
    CHECK(dsn.error().find("secret") == std::string::npos);
    CHECK(dsn.error().size() > 10);
  }
}

TEST_CASE("a Redis URL's parts are read, with what is left out at its usual value") {
  const auto whole = parse_redis_url("redis://user:p%40ss@cache.example:7000/3");
  REQUIRE(whole);
  CHECK(whole->host == "cache.example");
  CHECK(whole->port == 7000);
  CHECK(whole->user == "user");
  CHECK(whole->password == "p@ss");
  CHECK(whole->database == 3);
  CHECK(whole->shown == "cache.example:7000/3");

  const auto least = parse_redis_url("redis://127.0.0.1");
  REQUIRE(least);
  CHECK(least->port == 6379);
  CHECK(least->database == 0);
  CHECK(least->password.empty());

  const auto v6 = parse_redis_url("redis://[::1]:6380");
  REQUIRE(v6);
  CHECK(v6->host == "::1");
  CHECK(v6->port == 6380);

  const auto password = parse_redis_url("redis://:secret@localhost/");
  REQUIRE(password);
  CHECK(password->password == "secret");
  CHECK(password->user.empty());

  const auto path = parse_redis_url("unix:///run/redis.sock?db=2");
  REQUIRE(path);
  CHECK(path->is_unix());
  CHECK(path->database == 2);
}

TEST_CASE("what is no Redis URL is refused without showing the password") {
  for (const std::string text :
       {"", "cache:6379", "rediss://:secret@host", "redis://:secret@", "redis://host:0", "redis://host:70000",
        "redis://:secret@host/x", "redis://:secret%4@host", "redis://:secret@host?ssl=1", "unix://relative"}) {
    CAPTURE(text);
    const auto url = parse_redis_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().find("secret") == std::string::npos);
  }
}

TEST_CASE("several hosts of one server are read with their ports, and several URLs are told apart") {
  const auto dsn = parse_postgres_dsn("postgres://app@a:1,b:2/links");
  REQUIRE(dsn);
  REQUIRE(dsn->hosts.size() == 2);
  CHECK(dsn->hosts[1].name == "b");
  CHECK(dsn->hosts[1].port == "2");
  CHECK(dsn->shown == "a:1,b:2/links");
  CHECK(parse_postgres_dsn("host=a,b port=7 dbname=x")->hosts[1].port == "7");
  CHECK_FALSE(parse_postgres_dsn("host=a,b,c port=7,8 dbname=x"));
  CHECK(split_urls("postgres://a,b/x, postgresql://c/x postgres://d/x") ==
        std::vector<std::string>{"postgres://a,b/x", "postgresql://c/x", "postgres://d/x"});
  CHECK(split_urls("host=a dbname=x") == std::vector<std::string>{"host=a dbname=x"});
}
