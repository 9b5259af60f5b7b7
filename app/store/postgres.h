// One PostgreSQL server as its users see it: a bounded queue in front of a few pipelined connections, a deadline for
// every statement, a breaker, a pulse. Nothing here ever waits for a server that does not answer.
// Thread: the loop's.
#pragma once

#include "app/store/breaker.h"
#include "app/store/dependency.h"
#include "app/store/postgres_connection.h"
#include "app/store/postgres_query.h"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::app {

struct PostgresSettings {
  std::string name;  // `primary` or `replica`
  PgConnectionSettings connection;
  std::size_t connections = 2;
  std::size_t queued_max = 1024;
  std::chrono::milliseconds pulse{500};
};

class Postgres {
 public:
  Postgres(Loop& loop, Timeouts& timeouts, PostgresSettings settings);
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  /// Begins to connect. Whatever becomes of it, send() may be used.
  void start();

  /// Called when somebody NOTIFYed settings' channel, and when a connection that listens is ready: then something may
  /// have been missed.
  void set_on_notify(std::function<void()> on_notify) { on_notify_ = std::move(on_notify); }

  /// Takes the statement on. What is sent in one turn of the loop goes out together at its end. The answer comes
  /// within `deadline` of its being sent, and it is sent or failed within `deadline`; never from inside this call.
  void send(PgQueryPtr query, std::chrono::milliseconds deadline);

  /// False where a statement would fail at once: it is down, or its breaker is open.
  bool is_available() const;
  const Dependency& dependency() const { return dependency_; }
  const Breaker& breaker() const { return breaker_; }
  /// How often a connection was lost: what the server said before may not hold for the one that is there now.
  std::uint64_t losses() const { return losses_; }
  std::size_t queued() const { return queue_.size(); }
  std::size_t in_flight() const;

 private:
  friend class PgQuery;
  struct Slot final : PgConnectionUser {
    Slot(Postgres& pool, Access lane);
    void on_ready() override { pool.on_ready(); }
    void on_down(std::string_view why) override { pool.on_down(why); }
    void on_notify() override { pool.on_notify(); }
    void on_answer(PgQueryPtr query, const PgAnswer& answer) override { pool.on_answer(std::move(query), answer); }

    Postgres& pool;
    Access lane;
    PgConnection connection;
  };

  void on_ready();
  void on_down(std::string_view why);
  void on_notify();
  void on_answer(PgQueryPtr query, const PgAnswer& answer);
  void on_late(PgQuery& query);
  void on_pulse();
  void on_grace_over() { dispatch_soon(); }

  void dispatch_soon();
  void dispatch();
  bool has_ready() const;
  bool serves(const Slot& slot, Access access) const;
  PgConnection* roomiest(Access access);
  void answer_now(PgQueryPtr query, PgStatus status);

  Loop& loop_;
  PostgresSettings settings_;
  TimeoutClass& timeouts_;
  TimeoutClass& timeouts_connection_;
  Dependency dependency_;
  Breaker breaker_;
  Timeout pulse_;
  Timeout grace_over_;  // after the last connection was lost: then what waits fails
  std::vector<std::unique_ptr<Slot>> slots_;
  std::deque<PgQueryPtr> queue_;
  std::vector<PgQueryPtr> refused_;  // of this turn: the queue was full
  TimePoint last_ready_{};           // when the last connection was lost, or the first one begun
  bool had_ready_ = false;
  std::uint64_t losses_ = 0;
  std::function<void()> on_notify_;
  bool is_dispatching_soon_ = false;
};

}  // namespace holdfast::app
