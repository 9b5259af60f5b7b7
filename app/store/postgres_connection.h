// One connection to PostgreSQL: libpq on a uv loop, in pipeline mode, with its statements prepared; it comes back by
// itself. Every statement is followed by a Sync of its own, so that none fails for another's sake.
// Thread: the loop's.
#pragma once

#include "app/store/breaker.h"
#include "app/store/dsn.h"
#include "app/store/postgres_query.h"
#include "app/store/resolve.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <deque>
#include <memory>
#include <string>

namespace holdfast::app {

struct PgConnectionSettings {
  PostgresDsn dsn;
  bool is_primary = false;  // writes are prepared too, and a server that refuses writes is none
  std::string channel{};    // LISTENed to; empty: none
  std::chrono::milliseconds timeout_connect{2'000};
  std::chrono::milliseconds timeout_statement{1'500};  // the server's own, under the deadline of writes
};

/// Told what happens on a connection. It must not destroy it.
class PgConnectionUser {
 public:
  virtual void on_ready() = 0;
  virtual void on_down(std::string_view why) = 0;
  /// Somebody NOTIFYed the channel, once or several times.
  virtual void on_notify() = 0;
  /// The query has left the connection; there is room again.
  virtual void on_answer(PgQueryPtr query, const PgAnswer& answer) = 0;

 protected:
  ~PgConnectionUser() = default;
};

class PgConnection {
 public:
  static constexpr std::size_t kInFlightMax = 64;

  PgConnection(Loop& loop, TimeoutClass& timeouts, const PgConnectionSettings& settings, PgConnectionUser& user);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  /// Begins to connect; from then on it goes on trying.
  void start();

  /// Its server was seen alive: a connection that waits for its next try need not.
  void hurry();

  bool is_ready() const { return phase_ == Phase::Ready; }
  std::size_t in_flight() const { return in_flight_.size(); }
  bool has_room() const { return is_ready() && in_flight_.size() < kInFlightMax; }

  /// Puts `query` into the pipeline; flush() sends what was put there.
  void put(PgQueryPtr query);
  void flush();

  /// An answer may be waiting in the kernel that the loop did not come to read yet.
  bool has_unread_bytes() const;
  /// Gives it up: queries in flight get Unavailable, but `late` gets Timeout. Then it connects anew.
  void give_up(std::string_view why, const PgQuery* late = nullptr);

 private:
  //   Waiting ──▶ Resolving ──▶ Connecting ──▶ Preparing ──▶ Ready      (any ──▶ Waiting: it failed)
  enum class Phase { Waiting, Resolving, Connecting, Preparing, Ready };
  struct Poll;

  void resolve_next();
  void connect();
  void go_on_connecting();
  void prepare();
  void watch(int events);
  void unwatch();
  void on_poll(int status, int events);
  void read();
  void on_result(const PGresult* result);
  void on_retry_or_timeout();
  void finish();

  Loop& loop_;
  TimeoutClass& timeouts_;
  const PgConnectionSettings& settings_;
  PgConnectionUser& user_;
  Phase phase_ = Phase::Waiting;
  Resolver resolver_;
  std::vector<PgHost> hosts_;  // of this attempt, with the addresses found so far
  std::size_t resolved_ = 0;   // so many of them are
  std::size_t attempts_ = 0;   // each begins with another host: one that hangs must not hide the rest
  PGconn* pg_ = nullptr;
  Poll* poll_ = nullptr;
  Timeout timeout_;  // Waiting: until the next try; then until Ready
  Backoff backoff_;
  std::deque<PgQueryPtr> in_flight_;
  PGresult* result_ = nullptr;  // of the oldest in flight, until its Sync comes
  std::string refused_;         // why a statement could not be prepared
};

}  // namespace holdfast::app
