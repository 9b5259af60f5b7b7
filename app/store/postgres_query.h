// One statement on its way to PostgreSQL, and what came of it.
// Thread: the loop's.
#pragma once

#include "app/store/statements.h"
#include "common/loop/timeouts.h"

#include <libpq-fe.h>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

enum class PgStatus : std::uint8_t {
  Ok,
  UniqueViolation,  // 23505
  Conflict,         // a serialization failure, a dead-lock or a cancelled recovery: asking again may do
  Timeout,          // no answer in time: it may or may not have been done
  Unavailable,      // no connection, or it was lost: it may or may not have been done
  Busy,             // not even queued
  Bug,              // the server refused the statement itself: our mistake, or a schema that is not ours
};
std::string_view name_of(PgStatus status);

/// What an SQLSTATE means to us. Empty: libpq's own error, the connection is gone.
PgStatus status_of(std::string_view sqlstate);

/// The rows of an answer; views die with the call that gave it.
class PgAnswer {
 public:
  explicit PgAnswer(PgStatus status, const PGresult* result = nullptr) : status_(status), result_(result) {}

  PgStatus status() const { return status_; }
  bool is_ok() const { return status_ == PgStatus::Ok; }
  /// The server's words for what it refused; empty where it gave none.
  std::string_view why() const {
    const char* text = result_ == nullptr ? nullptr : PQresultErrorField(result_, PG_DIAG_MESSAGE_PRIMARY);
    return text == nullptr ? std::string_view{} : text;
  }
  /// No word from the server at all.
  bool is_lost() const { return result_ == nullptr; }
  int rows() const { return result_ == nullptr ? 0 : PQntuples(result_); }
  bool is_null(int row, int column) const { return PQgetisnull(result_, row, column) != 0; }
  std::string_view text(int row, int column) const {
    return {PQgetvalue(result_, row, column), static_cast<std::size_t>(PQgetlength(result_, row, column))};
  }
  bool is_true(int row, int column) const { return text(row, column) == "t"; }

 private:
  PgStatus status_;
  const PGresult* result_;
};

/// Who asks derives from this, adds what it needs to know when the answer comes, and gives it to Postgres::send().
class PgQuery {
 public:
  explicit PgQuery(Statement statement);
  virtual ~PgQuery() = default;
  PgQuery(const PgQuery&) = delete;
  PgQuery& operator=(const PgQuery&) = delete;

  /// Called once, never from inside send(); the query is destroyed after it.
  virtual void on_answer(const PgAnswer& answer) = 0;

 protected:
  void add(std::string parameter) { parameters_.push_back(std::move(parameter)); }

 private:
  friend class Postgres;
  friend class PgConnection;
  void on_timeout();

  Statement statement_;
  std::vector<std::string> parameters_;
  Timeout timeout_;
  std::chrono::milliseconds deadline_{0};
  class Postgres* owner_ = nullptr;
  class PgConnection* connection_ = nullptr;  // null while it is queued
  int times_spared_ = 0;
};
using PgQueryPtr = std::unique_ptr<PgQuery>;

}  // namespace holdfast::app
