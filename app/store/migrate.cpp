#include "app/store/migrate.h"

#include "app/store/hashes.h"
#include "app/store/session.h"

#include <charconv>
#include <map>
#include <optional>
#include <thread>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Any number that nobody else locks: "holdfast" in ASCII.
constexpr const char* kLock = "7525363713131737972";

std::optional<int> number_of(std::string_view name) {
  int number = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (problem != std::errc{} || end == name.data() || number < 1) return std::nullopt;
  return number;
}

/// Waits for another instance that is at it; says what went wrong.
std::string lock(Session& session, Clock::time_point until, const MigrateOptions& options) {
  for (bool was_told = false;;) {
    const std::string sql = std::string("SELECT pg_try_advisory_lock(") + kLock + ")";
    const auto rows = session.run(sql.c_str());
    if (!rows) return rows.error();
    if (rows->is_true(0, 0)) return {};
    if (Clock::now() >= until) return "another instance is migrating and did not finish in time";
    if (!was_told) options.say("another instance is migrating: waiting for it");
    was_told = true;
    std::this_thread::sleep_for(100ms);
  }
}

struct Applied {
  std::string name;
  std::string checksum;
};

tl::expected<std::map<int, Applied>, std::string> read_applied(Session& session) {
  const auto rows = session.run("SELECT version, name, checksum FROM schema_migrations ORDER BY version");
  if (!rows) return tl::unexpected(rows.error());
  std::map<int, Applied> applied;
  for (int row = 0; row < rows->count(); ++row) {
    applied[number_of(rows->text(row, 0)).value_or(0)] = {std::string(rows->text(row, 1)),
                                                          std::string(rows->text(row, 2))};
  }
  return applied;
}

std::string apply(Session& session, const Migration& file, int number) {
  const std::string name(file.name);
  const std::string sql(file.sql);
  const std::string version = std::to_string(number);
  const std::string checksum = sha256_hex(file.sql);
  auto done = session.run("BEGIN");
  if (done) done = session.run(sql.c_str());
  if (done) {
    done = session.run("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                       {version.c_str(), name.c_str(), checksum.c_str()});
  }
  if (done) done = session.run("COMMIT");
  if (done) return {};
  (void)session.run("ROLLBACK");
  return name + ": " + done.error() + "; nothing of this file was applied";
}

}  // namespace

std::string migrate(const PostgresDsn& dsn, const std::vector<Migration>& files, const MigrateOptions& options) {
  const auto until = Clock::now() + options.wait;
  auto opened = Session::open(dsn, {.program = "shortener migrate", .wait = options.wait, .say = options.say});
  if (!opened) {
    return "cannot reach the database at " + dsn.shown + " within " + std::to_string(options.wait.count() / 1000) +
           "s: " + opened.error();
  }
  Session& session = *opened;
  if (std::string wrong = lock(session, until, options); !wrong.empty()) return wrong;
  auto is_ready = session.run("SET lock_timeout = '10s'");
  if (is_ready) {
    is_ready = session.run(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
        "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
  }
  if (!is_ready) return "schema_migrations: " + is_ready.error();
  const auto applied = read_applied(session);
  if (!applied) return "schema_migrations: " + applied.error();

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
