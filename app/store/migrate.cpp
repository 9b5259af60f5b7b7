#include "app/store/migrate.h"

#include "app/store/sha256.h"

#include <libpq-fe.h>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <thread>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Any number that nobody else locks: "holdfast" in ASCII.
constexpr const char* kLock = "7525363713131737972";

struct Finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Rows = std::unique_ptr<PGresult, Finish>;

std::string first_line(const char* text) {
  const std::string_view all = text == nullptr ? "" : text;
  return std::string(all.substr(0, all.find('\n')));
}

bool is_right(const Rows& rows) {
  const ExecStatusType status = PQresultStatus(rows.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/// Tries to connect until `until`; a server that starts, or is in recovery, is waited for.
Connection connect(const PostgresDsn& dsn, Clock::time_point until, const MigrateOptions& options, std::string& wrong) {
  std::vector<const char*> keys{"connect_timeout", "fallback_application_name", "target_session_attrs"};
  std::vector<const char*> values{"3", "shortener migrate", "read-write"};
  for (const auto& [key, value] : dsn.parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  for (bool was_told = false;;) {
    Connection connection(PQconnectdbParams(keys.data(), values.data(), 0));
    if (PQstatus(connection.get()) == CONNECTION_OK) {
      PQsetNoticeProcessor(
          connection.get(), [](void*, const char*) {}, nullptr);
      return connection;
    }
    wrong = first_line(PQerrorMessage(connection.get()));
    if (Clock::now() >= until) return nullptr;
    if (!was_told) options.say("waiting for " + dsn.shown + ": " + wrong);
    was_told = true;
    std::this_thread::sleep_for(250ms);
  }
}

std::optional<int> number_of(std::string_view name) {
  int number = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (problem != std::errc{} || end == name.data() || number < 1) return std::nullopt;
  return number;
}

/// One session that holds the lock.
class Session {
 public:
  explicit Session(Connection connection) : connection_(std::move(connection)) {}

  bool run(const char* sql) { return run(sql, {}) != nullptr; }
  /// Null where it failed; then wrong() says why.
  Rows run(const char* sql, const std::vector<const char*>& values) {
    Rows rows(values.empty() ? PQexec(connection_.get(), sql)
                             : PQexecParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                                            values.data(), nullptr, nullptr, 0));
    if (is_right(rows)) return rows;
    wrong_ = first_line(PQerrorMessage(connection_.get()));
    return nullptr;
  }
  const std::string& wrong() const { return wrong_; }

  /// Waits for another instance that is at it.
  bool lock(Clock::time_point until, const MigrateOptions& options) {
    for (bool was_told = false;;) {
      const std::string sql = std::string("SELECT pg_try_advisory_lock(") + kLock + ")";
      const Rows rows = run(sql.c_str(), {});
      if (rows == nullptr) return false;
      if (std::string_view(PQgetvalue(rows.get(), 0, 0)) == "t") return true;
      wrong_ = "another instance is migrating and did not finish in time";
      if (Clock::now() >= until) return false;
      if (!was_told) options.say("another instance is migrating: waiting for it");
      was_told = true;
      std::this_thread::sleep_for(100ms);
    }
  }

 private:
  Connection connection_;
  std::string wrong_;
};

struct Applied {
  std::string name;
  std::string checksum;
};

std::optional<std::map<int, Applied>> read_applied(Session& session) {
  const Rows rows = session.run("SELECT version, name, checksum FROM schema_migrations ORDER BY version", {});
  if (rows == nullptr) return std::nullopt;
  std::map<int, Applied> applied;
  for (int row = 0; row < PQntuples(rows.get()); ++row) {
    applied[number_of(PQgetvalue(rows.get(), row, 0)).value_or(0)] = {PQgetvalue(rows.get(), row, 1),
                                                                      PQgetvalue(rows.get(), row, 2)};
  }
  return applied;
}

std::string apply(Session& session, const Migration& file, int number) {
  const std::string name(file.name);
  const std::string sql(file.sql);
  const std::string version = std::to_string(number);
  const std::string checksum = sha256_hex(file.sql);
  const bool is_done = session.run("BEGIN") && session.run(sql.c_str()) &&
                       session.run("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                                   {version.c_str(), name.c_str(), checksum.c_str()}) != nullptr &&
                       session.run("COMMIT");
  if (is_done) return {};
  std::string wrong = name + ": " + session.wrong() + "; nothing of this file was applied";
  session.run("ROLLBACK");
  return wrong;
}

}  // namespace

std::string migrate(const PostgresDsn& dsn, const std::vector<Migration>& files, const MigrateOptions& options) {
  const auto until = Clock::now() + options.wait;
  std::string wrong;
  Connection connection = connect(dsn, until, options, wrong);
  if (connection == nullptr) {
    return "cannot reach the database at " + dsn.shown + " within " + std::to_string(options.wait.count() / 1000) +
           "s: " + wrong;
  }
  Session session(std::move(connection));
  if (!session.lock(until, options)) return session.wrong();
  if (!session.run("SET lock_timeout = '10s'") ||
      !session.run("CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
                   "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")) {
    return "schema_migrations: " + session.wrong();
  }
  const auto applied = read_applied(session);
  if (!applied) return "schema_migrations: " + session.wrong();

  std::size_t added = 0;
  for (const Migration& file : files) {
    const auto number = number_of(file.name);
    if (!number) return std::string(file.name) + ": a migration's name begins with its number";
    const auto before = applied->find(*number);
    if (before != applied->end()) {
      if (before->second.checksum == sha256_hex(file.sql)) continue;
      return std::string(file.name) + ": it was changed after it had been applied (as " + before->second.name +
             "); put the change into a new file";
    }
    if (!applied->empty() && *number < applied->rbegin()->first) {
      return std::string(file.name) + ": a later one, " + applied->rbegin()->second.name + ", was applied already";
    }
    const auto begin = Clock::now();
    if (std::string failed = apply(session, file, *number); !failed.empty()) return failed;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    options.say("applied " + std::string(file.name) + " (" + std::to_string(took.count()) + " ms)");
    ++added;
  }
  options.say(added == 0 ? dsn.shown + " is up to date (" + std::to_string(files.size()) + " migrations)"
                         : dsn.shown + ": " + std::to_string(added) + " of " + std::to_string(files.size()) +
                               " migrations applied");
  return {};
}

}  // namespace holdfast::app
