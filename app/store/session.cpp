#include "app/store/session.h"

#include <poll.h>
#include <thread>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string first_line(const char* text) {
  const std::string_view all = text == nullptr ? "" : text;
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace

tl::expected<Session, std::string> Session::open(const PostgresDsn& dsn, const SessionOptions& options) {
  const auto until = Clock::now() + options.wait;
  std::vector<const char*> keys{"connect_timeout", "fallback_application_name", "target_session_attrs"};
  std::vector<const char*> values{"3", options.program, options.target};
  for (const auto& [key, value] : dsn.parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  for (bool was_told = false;;) {
    Session session(PQconnectdbParams(keys.data(), values.data(), 0));
    PGconn* connection = session.connection_.get();
    if (PQstatus(connection) == CONNECTION_OK) {
      PQsetNoticeProcessor(
          connection, [](void*, const char*) {}, nullptr);
      session.timeout_ = options.timeout;
      session.cancel_ = options.cancel;
      return session;
    }
    std::string wrong = first_line(PQerrorMessage(connection));
    if (Clock::now() >= until) return tl::unexpected(std::move(wrong));
    if (!was_told) options.say("waiting for " + dsn.shown + ": " + wrong);
    was_told = true;
    std::this_thread::sleep_for(250ms);
  }
}

/// What PQexec() waits for, within the time; null where it did not come. Then the connection is of no use any more.
PGresult* Session::wait_for_result() {
  PGconn* connection = connection_.get();
  const auto until = Clock::now() + timeout_;
  PGresult* last = nullptr;
  for (;;) {
    const int left = PQflush(connection);
    if (left < 0 || (left == 0 && PQisBusy(connection) == 0)) {
      PGresult* next = PQgetResult(connection);
      if (next == nullptr) return last;
      PQclear(std::exchange(last, next));
      continue;
    }
    const bool is_over = Clock::now() >= until || (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed));
    pollfd socket{
        .fd = PQsocket(connection), .events = static_cast<short>(left > 0 ? POLLIN | POLLOUT : POLLIN), .revents = 0};
    // In pieces, for `cancel`. What is there already counts, however late we come.
    if (::poll(&socket, 1, is_over ? 0 : 100) == 0 && is_over) return PQclear(last), nullptr;
    if ((socket.revents & ~POLLOUT) != 0 && PQconsumeInput(connection) == 0) return PQclear(last), nullptr;
  }
}

tl::expected<Rows, std::string> Session::run(const char* sql, const std::vector<const char*>& values) {
  PGconn* connection = connection_.get();
  const auto count = static_cast<int>(values.size());
  sqlstate_.clear();
  PGresult* result = nullptr;
  if (timeout_.count() == 0) {
    // Without values a text may be several statements.
    result = values.empty() ? PQexec(connection, sql)
                            : PQexecParams(connection, sql, count, nullptr, values.data(), nullptr, nullptr, 0);
  } else {
    PQsetnonblocking(connection, 1);
    const bool is_sent =
        values.empty() ? PQsendQuery(connection, sql) == 1
                       : PQsendQueryParams(connection, sql, count, nullptr, values.data(), nullptr, nullptr, 0) == 1;
    if (is_sent) result = wait_for_result();
    if (is_sent && result == nullptr) {
      const std::string why = first_line(PQerrorMessage(connection));
      return tl::unexpected(why.empty() ? "it did not answer in time" : why);
    }
  }
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  if (const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE); state != nullptr) sqlstate_ = state;
  return tl::unexpected(first_line(PQerrorMessage(connection)));
}

}  // namespace holdfast::app
