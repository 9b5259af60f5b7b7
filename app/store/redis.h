// Redis as its users see it: one pipelined connection that comes back by itself, a deadline for the oldest command
// without an answer, a breaker. A hung Redis costs the commands of one turn their deadline, once; then it is down.
// Thread: the loop's.
#pragma once

#include "app/store/breaker.h"
#include "app/store/dependency.h"
#include "app/store/dsn.h"
#include "app/store/resolve.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"
#include "common/memory/list.h"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

struct redisAsyncContext;
struct redisReply;

namespace holdfast::app {

enum class RedisStatus : std::uint8_t {
  Value,  // a string or a status
  Nil,    // nothing under that key; or a condition (NX) that did not hold
  Error,  // Redis refused the command
  Lost,   // no answer: the deadline, or the connection
};

struct RedisAnswer {
  RedisStatus status = RedisStatus::Lost;
  std::string_view text;  // dies with the call
  bool is_late = false;   // Lost, because the deadline ran out
};

/// Who asks derives from this and gives it to Redis::send().
class RedisCommand : public ListHook<RedisCommand> {
 public:
  virtual ~RedisCommand() = default;
  /// Called once; the command is destroyed after it.
  virtual void on_answer(const RedisAnswer& answer) = 0;

 private:
  friend class Redis;
  class Redis* owner_ = nullptr;
  TimePoint deadline_{};
};

struct RedisSettings {
  RedisUrl url;
  std::chrono::milliseconds timeout_command{5};
  std::chrono::milliseconds timeout_connect{500};
  std::chrono::milliseconds pulse{500};
  std::size_t in_flight_max = 10'000;
};

class Redis {
 public:
  class User {
   public:
    /// It is back, and this user's commands are the first that it gets.
    virtual void on_redis_back() = 0;

   protected:
    ~User() = default;
  };

  Redis(Loop& loop, Timeouts& timeouts, RedisSettings settings);
  ~Redis();
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  void set_user(User* user) { user_ = user; }
  void start();

  /// Sends a command. False where Redis is not there: then nothing happened and `command` is gone.
  bool send(std::unique_ptr<RedisCommand> command, std::initializer_list<std::string_view> words);

  TimePoint now() const { return loop_.now(); }
  bool is_available() const { return phase_ == Phase::Ready; }
  const Dependency& dependency() const { return dependency_; }
  const Breaker& breaker() const { return breaker_; }

 private:
  //   Waiting ──▶ Resolving ──▶ Connecting ──▶ Greeting ──▶ Ready      (any ──▶ Waiting: it failed)
  enum class Phase { Waiting, Resolving, Connecting, Greeting, Ready };
  struct Hooks;  // what hiredis calls

  void connect(const std::string& host);
  void greet();
  void on_greeted(const redisReply* reply);
  void on_reply(RedisCommand& command, const redisReply* reply);
  void on_context_gone(std::string_view why);
  void on_retry_or_timeout();
  void on_deadline();
  void on_pulse();
  void give_up(std::string_view why);
  void fail(std::string_view why);
  bool submit(RedisCommand* command, std::initializer_list<std::string_view> words);

  Loop& loop_;
  RedisSettings settings_;
  TimeoutClass& timeouts_;
  TimeoutClass& timeouts_connection_;
  Dependency dependency_{"redis"};
  Breaker breaker_;
  Resolver resolver_;
  Timeout timeout_;   // Waiting: until the next try; then until Ready
  Timeout deadline_;  // of the oldest command under way
  Timeout pulse_;
  User* user_ = nullptr;
  Phase phase_ = Phase::Waiting;
  redisAsyncContext* context_ = nullptr;        // hiredis frees it: null from its last callback on
  List<RedisCommand, RedisCommand> under_way_;  // owned; oldest first
  std::size_t in_flight_ = 0;
  RedisCommand* spared_ = nullptr;  // the oldest, whose deadline was prolonged by a turn
  bool is_late_ = false;            // while the commands of a connection given up for its lateness are told
};

}  // namespace holdfast::app
