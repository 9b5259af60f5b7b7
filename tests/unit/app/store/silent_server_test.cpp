// Stores that accept a connection and then say nothing, as a stopped or partitioned server does.
#include "app/store/postgres.h"
#include "app/store/redis.h"
#include "common/net/listener.h"

#include <doctest/doctest.h>
#include <optional>
#include <vector>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

/// Speaks as much Redis as `answers` says, one for each read, then nothing more; after "..." it resets the connection.
class Server final : ListenerUser, StreamUser {
 public:
  Server(Loop& loop, std::vector<std::string> answers) : answers_(std::move(answers)) {
    auto opened = Listener::open(loop, Address::parse("127.0.0.1:0").value(), PortSharing::Alone, *this);
    REQUIRE(opened);
    listener_.emplace(std::move(*opened));
  }
  std::uint16_t port() const { return listener_->address().port(); }
  void close() { streams_.clear(), listener_.reset(); }

 private:
  void on_accept(Stream stream) override {
    stream.set_user(this);
    stream.start_reading();
    streams_.push_back(std::move(stream));
  }
  void on_bytes(std::span<const char>) override {
    if (at_ == answers_.size()) return;
    const std::string& answer = answers_[at_++];
    (void)streams_.back().write(answer);
    if (answer.ends_with("...")) streams_.back().reset();
  }
  void on_end_of_stream() override {}
  void on_broken(const Error&) override {}

  std::vector<std::string> answers_;
  std::size_t at_ = 0;
  std::vector<Stream> streams_;
  std::optional<Listener> listener_;
};

RedisUrl redis_at(const Server& server) {
  return parse_redis_url("redis://127.0.0.1:" + std::to_string(server.port())).value();
}

class Asking final : public RedisCommand {
 public:
  explicit Asking(std::vector<RedisAnswer>& answers) : answers_(answers) {}
  void on_answer(const RedisAnswer& answer) override { answers_.push_back(answer); }

 private:
  std::vector<RedisAnswer>& answers_;
};

class Pinging final : public PgQuery {
 public:
  explicit Pinging(std::vector<PgStatus>& answers) : PgQuery(Statement::Ping), answers_(answers) {}
  void on_answer(const PgAnswer& answer) override { answers_.push_back(answer.status()); }

 private:
  std::vector<PgStatus>& answers_;
};

template <class Condition>
bool wait_for(Loop& loop, Condition is_met) {
  uv_update_time(loop.uv());
  const TimePoint begin = loop.now();
  while (!is_met()) {
    uv_run(loop.uv(), UV_RUN_ONCE);
    if (loop.now() - begin > 20s) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a Redis that greets and then hangs fails what is under way after its deadline, and what follows at once") {
  Loop loop;
  {
    Timeouts timeouts(loop);
    Server server(loop, {"+PONG\r\n"});
    Redis redis(loop, timeouts, {.url = redis_at(server), .pulse = 1h});
    redis.start();
    REQUIRE(wait_for(loop, [&] { return redis.is_available(); }));

    std::vector<RedisAnswer> answers;
    const TimePoint asked_at = loop.now();
    for (int i = 0; i < 3; ++i) CHECK(redis.send(std::make_unique<Asking>(answers), {"GET", "x"}));
    REQUIRE(wait_for(loop, [&] { return !answers.empty(); }));
    CHECK(loop.now() - asked_at < 5s);
    REQUIRE(answers.size() == 3);
    for (const RedisAnswer& answer : answers) {
      CHECK(answer.status == RedisStatus::Lost);
      CHECK(answer.is_late);
    }
    CHECK_FALSE(redis.is_available());
    CHECK_FALSE(redis.send(std::make_unique<Asking>(answers), {"GET", "x"}));
    CHECK(redis.breaker().state() != Breaker::State::Closed);
    CHECK_FALSE(redis.dependency().is_up());
    CHECK_FALSE(redis.dependency().why().empty());
    server.close();
    loop.settle();
  }
}

TEST_CASE("answers of Redis reach those who asked, in order, whatever they are") {
  Loop loop;
  {
    Timeouts timeouts(loop);
    Server server(loop, {"+PONG\r\n", "$3\r\nabc\r\n$-1\r\n-LOADING not yet\r\n"});
    Redis redis(loop, timeouts, {.url = redis_at(server), .timeout_command = 5s, .pulse = 1h});
    redis.start();
    REQUIRE(wait_for(loop, [&] { return redis.is_available(); }));
    std::vector<RedisAnswer> answers;
    for (int i = 0; i < 3; ++i) CHECK(redis.send(std::make_unique<Asking>(answers), {"GET", "x"}));
    REQUIRE(wait_for(loop, [&] { return answers.size() == 3; }));
    CHECK(answers[0].status == RedisStatus::Value);
    CHECK(answers[1].status == RedisStatus::Nil);
    CHECK(answers[2].status == RedisStatus::Error);
    server.close();
    loop.settle();
  }
}

TEST_CASE("bytes followed by a reset are not waited upon any longer than the reset takes") {
  Loop loop;
  {
    Timeouts timeouts(loop);
    Server server(loop, {"+PONG\r\n", "$3\r\nabc\r\n$9\r\nxyz..."});
    Redis redis(loop, timeouts, {.url = redis_at(server), .timeout_command = 10s, .pulse = 1h});
    redis.start();
    REQUIRE(wait_for(loop, [&] { return redis.is_available(); }));
    std::vector<RedisAnswer> answers;
    const TimePoint asked_at = loop.now();
    for (int i = 0; i < 3; ++i) CHECK(redis.send(std::make_unique<Asking>(answers), {"GET", "x"}));
    REQUIRE(wait_for(loop, [&] { return answers.size() == 3; }));
    CHECK(loop.now() - asked_at < 5s);
    CHECK(answers[2].status == RedisStatus::Lost);
    CHECK_FALSE(answers[2].is_late);
    server.close();
    loop.settle();
  }
}

TEST_CASE("commands that are under way when Redis is taken down with the program are dropped without a word") {
  Loop loop;
  std::vector<RedisAnswer> answers;
  {
    Timeouts timeouts(loop);
    Server server(loop, {"+PONG\r\n"});
    Redis redis(loop, timeouts, {.url = redis_at(server), .timeout_command = 5s, .pulse = 1h});
    redis.start();
    REQUIRE(wait_for(loop, [&] { return redis.is_available(); }));
    CHECK(redis.send(std::make_unique<Asking>(answers), {"GET", "x"}));
    server.close();
    loop.settle();
  }
  CHECK(answers.empty());
}

TEST_CASE("a statement to a PostgreSQL that accepts and says nothing fails within the grace, later ones at once") {
  Loop loop;
  {
    Timeouts timeouts(loop);
    Server server(loop, {});
    const std::string url = "postgres://app@127.0.0.1:" + std::to_string(server.port()) + "/links";
    Postgres postgres(
        loop, timeouts,
        {.name = "primary", .connection = {.dsn = parse_postgres_dsn(url).value(), .timeout_connect = 100ms}});
    postgres.start();
    std::vector<PgStatus> answers;
    postgres.send(std::make_unique<Pinging>(answers), 10s);
    CHECK(answers.empty());
    const TimePoint asked_at = loop.now();
    REQUIRE(wait_for(loop, [&] { return !answers.empty(); }));
    CHECK(loop.now() - asked_at < 5s);
    CHECK(answers.front() == PgStatus::Unavailable);
    CHECK_FALSE(postgres.is_available());
    postgres.send(std::make_unique<Pinging>(answers), 10s);
    loop.settle();
    CHECK(answers.size() == 2);
    server.close();
    loop.settle();
  }
}

TEST_CASE("more statements than the queue holds are refused at once") {
  Loop loop;
  {
    Timeouts timeouts(loop);
    Server server(loop, {});
    const std::string url = "postgres://app@127.0.0.1:" + std::to_string(server.port()) + "/links";
    Postgres postgres(loop, timeouts,
                      {.name = "primary", .connection = {.dsn = parse_postgres_dsn(url).value()}, .queued_max = 2});
    postgres.start();
    std::vector<PgStatus> answers;
    for (int i = 0; i < 3; ++i) postgres.send(std::make_unique<Pinging>(answers), 10s);
    loop.settle();
    CHECK(answers == std::vector{PgStatus::Busy});
    server.close();
    loop.settle();
  }
}
