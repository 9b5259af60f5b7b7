#include "app/store/session.h"

#include <thread>

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
      return session;
    }
    std::string wrong = first_line(PQerrorMessage(connection));
    if (Clock::now() >= until) return tl::unexpected(std::move(wrong));
    if (!was_told) options.say("waiting for " + dsn.shown + ": " + wrong);
    was_told = true;
    std::this_thread::sleep_for(250ms);
  }
}

tl::expected<Rows, std::string> Session::run(const char* sql, const std::vector<const char*>& values) {
  // Without values a text may be several statements.
  PGresult* result = values.empty() ? PQexec(connection_.get(), sql)
                                    : PQexecParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                                                   values.data(), nullptr, nullptr, 0);
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  return tl::unexpected(first_line(PQerrorMessage(connection_.get())));
}

}  // namespace holdfast::app
