// A connection to the primary for the command line, and for threads of their own: every call waits for its answer.
// Thread: any; it blocks, and has no business on a loop.
#pragma once

#include "app/store/dsn.h"

#include <libpq-fe.h>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// The rows of an answer.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  int count() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  bool is_true(int row, int column) const { return text(row, column) == "t"; }
  /// Of what changes rows.
  bool has_changed() const { return std::string_view(PQcmdTuples(result_.get())) != "0"; }

 private:
  struct Clear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

struct SessionOptions {
  const char* program = "shortener";  // as the server shows it
  std::chrono::milliseconds wait{0};  // for a server that starts, or is in recovery
  const char* target = "read-write";  // of several hosts, the one that is this
  std::function<void(std::string_view line)> say = [](std::string_view) {};
  std::chrono::milliseconds timeout{0};       // of a statement; 0: none
  const std::atomic<bool>* cancel = nullptr;  // once it is true, statements are given up
};

class Session {
 public:
  /// The error is the reason alone.
  static tl::expected<Session, std::string> open(const PostgresDsn& dsn, const SessionOptions& options);

  /// The error is the server's first line. A null value is NULL.
  tl::expected<Rows, std::string> run(const char* sql, const std::vector<const char*>& values = {});

  void set_timeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }

  /// The server's word for the last error; empty where it gave none, for the connection is gone.
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };
  explicit Session(PGconn* connection) : connection_(connection) {}
  PGresult* wait_for_result();

  std::unique_ptr<PGconn, Finish> connection_;
  std::chrono::milliseconds timeout_{0};
  const std::atomic<bool>* cancel_ = nullptr;
  std::string sqlstate_;
};

}  // namespace holdfast::app
