#include "app/operate/maintain.h"

#include "app/operate/table.h"
#include "common/units.h"

#include <array>
#include <string>
#include <thread>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr int kLockTries = 10;
constexpr int kPiecesMax = 10'000;

/// What goes piece by piece: `sql` removes one and tells how many rows it was; `count` tells how many there are.
struct Sweep {
  const char* what;
  const char* count;
  const char* sql;
};

#define OLD_IDEMPOTENCY "FROM idempotency WHERE created_at < now() - interval '24 hours'"
#define OLD_CLICKS "FROM clicks_other WHERE at < now() - make_interval(secs => $1::float8)"
#define OLD_WATERMARKS                                                                       \
  "FROM click_watermarks AS w WHERE updated_at < now() - interval '30 days' AND NOT EXISTS " \
  "(SELECT FROM click_journals AS j WHERE j.instance = w.instance)"
#define OLD_VISITS "FROM visit_watermarks WHERE updated_at < now() - interval '30 days'"
// An instance that has been away for a month does not come back with its journal.
#define OLD_JOURNALS                                                                               \
  "FROM click_journals WHERE reported_at < now() - CASE WHEN waiting > 0 THEN interval '30 days' " \
  "ELSE interval '1 day' END"
// Whoever was ever visited has its totals, which go last.
#define OLD_LINKS                                                               \
  "FROM links AS l WHERE l.deleted_at < now() - interval '30 days' AND EXISTS " \
  "(SELECT FROM link_visits AS v WHERE v.domain = l.domain AND v.code = l.code)"
#define GONE(table) "DELETE FROM " table " AS t USING old WHERE t.domain = old.domain AND t.code = old.code"

constexpr std::array kSweeps{
    Sweep{"answers kept for Idempotency-Keys that are older than a day", "SELECT count(*) " OLD_IDEMPOTENCY,
          "WITH gone AS (DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid " OLD_IDEMPOTENCY
          " LIMIT 5000)) RETURNING 1) SELECT count(*) FROM gone"},
    Sweep{"links deleted more than 30 days ago, of which the statistics go", "SELECT count(*) " OLD_LINKS,
          "WITH old AS MATERIALIZED (SELECT l.domain, l.code " OLD_LINKS " LIMIT 100), "
          "q AS (" GONE("click_quarters") "), d AS (" GONE("click_daily") "), s AS (" GONE(
              "click_visitors") "), "
                                "v AS (" GONE("link_visits") ") SELECT count(*) FROM old"},
    Sweep{"watermarks of journals that there are no more", "SELECT count(*) " OLD_WATERMARKS,
          "WITH gone AS (DELETE " OLD_WATERMARKS " RETURNING 1) SELECT count(*) FROM gone"},
    Sweep{"watermarks of an earlier release's counters", "SELECT count(*) " OLD_VISITS,
          "WITH gone AS (DELETE " OLD_VISITS " RETURNING 1) SELECT count(*) FROM gone"},
    Sweep{"instances that were taken out", "SELECT count(*) " OLD_JOURNALS,
          "WITH gone AS (DELETE " OLD_JOURNALS " RETURNING 1) SELECT count(*) FROM gone"},
};
constexpr Sweep kStrays{"old clicks that were in no month's table", "SELECT count(*) " OLD_CLICKS,
                        "WITH gone AS (DELETE FROM clicks_other WHERE ctid = ANY(ARRAY(SELECT ctid " OLD_CLICKS
                        " LIMIT 5000)) RETURNING 1) SELECT count(*) FROM gone"};

class Upkeep {
 public:
  Upkeep(Session& session, const OperateSettings& settings, bool is_trial,
         const std::function<void(std::string_view line)>& say)
      : session_(session), settings_(settings), is_trial_(is_trial), say_(say) {}

  CommandOutcome run() {
    const auto locked = session_.run("SELECT pg_try_advisory_lock(7525363713131737975)");
    if (!locked) return not_tried(locked.error());
    if (!locked->is_true(0, 0)) return {.out = "another one is at it: nothing to do\n", .wrong = {}};
    const auto ready = session_.run("SET lock_timeout = '2s'");
    if (!ready) return not_tried(ready.error());
    make_tables();
    drop_tables();
    for (const Sweep& each : kSweeps) sweep(each, {});
    const std::string seconds = std::to_string(settings_.retention.count() / 1000);
    sweep(kStrays, {seconds.c_str()});
    if (!is_trial_) add_zones();
    if (done_ == 0 && wrong_.empty()) say_("nothing to do");
    return {.out = {}, .wrong = wrong_, .ended = wrong_.empty() ? Ended::Well : Ended::Partly};
  }

 private:
  void tell(const std::string& line) {
    say_(is_trial_ ? "would: " + line : line);
    ++done_;
  }
  void fail(const std::string& what, const std::string& why) {
    wrong_ += (wrong_.empty() ? "" : "\n");
    wrong_ += what + ": " + why;
  }

  /// Of this month and two more.
  void make_tables() {
    if (is_trial_) {
      const auto missing = session_.run(
          "SELECT to_char(m, '\"clicks_\"YYYY_MM') FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'), "
          "date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', interval '1 month') AS m "
          "WHERE to_regclass(to_char(m, '\"clicks_\"YYYY_MM')) IS NULL");
      if (!missing) return fail("tables of months to come", missing.error());
      for (int row = 0; row < missing->count(); ++row) tell("make " + std::string(missing->text(row, 0)));
      return;
    }
    const auto made = patiently("SELECT make_click_partitions_v1(2)");
    if (!made) return fail("tables of months to come", made.error());
    if (const auto count = number_at(*made, 0, 0); count > 0)
      tell("made tables of " + grouped(count) + " months to come");
  }

  /// Of months that have wholly passed out of what is kept.
  void drop_tables() {
    const std::string seconds = std::to_string(settings_.retention.count() / 1000);
    const auto old = session_.run(
        "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = "
        "i.inhrelid "
        "WHERE i.inhparent = 'clicks'::regclass AND c.relname ~ '^clicks_\\d{4}_\\d\\d$' "
        "AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' "
        "<= (now() AT TIME ZONE 'UTC') - make_interval(secs => $1::float8) ORDER BY 1",
        {seconds.c_str()});
    if (!old) return fail("tables of old months", old.error());
    for (int row = 0; row < old->count(); ++row) {
      const std::string name(old->text(row, 0));
      const std::string shown = name + " (" + size_text(number_at(*old, row, 1)) + ", older than " +
                                print_duration(settings_.retention) + ")";
      if (is_trial_) {
        tell("drop " + shown);
      } else if (const auto gone = patiently(("DROP TABLE " + name).c_str()); gone) {
        tell("dropped " + shown);
      } else {
        fail("drop " + name, gone.error());
      }
    }
  }

  void sweep(const Sweep& one, const std::vector<const char*>& values) {
    std::int64_t sum = 0;
    if (is_trial_) {
      const auto count = session_.run(one.count, values);
      if (!count) return fail(one.what, count.error());
      sum = number_at(*count, 0, 0);
      if (sum > 0) tell("remove " + grouped(sum) + " " + one.what);
      return;
    }
    for (int piece = 0; piece < kPiecesMax; ++piece) {
      const auto gone = session_.run(one.sql, values);
      if (!gone) return fail(one.what, gone.error());
      const auto count = number_at(*gone, 0, 0);
      sum += count;
      if (count < 100) break;  // all pieces but the last are larger
    }
    if (sum > 0) tell("removed " + grouped(sum) + " " + one.what);
  }

  void add_zones() {
    const auto added = session_.run("SELECT add_time_zones_v1()");
    if (!added) return fail("time zones", added.error());
    if (const auto count = number_at(*added, 0, 0); count > 0) tell("added " + grouped(count) + " time zones");
  }

  /// A table's lock is waited for a short while, again and again: behind one who waits everybody waits.
  tl::expected<Rows, std::string> patiently(const char* sql) {
    auto rows = session_.run(sql);
    for (int tries = 1; !rows && tries < kLockTries && rows.error().find("lock timeout") != std::string::npos;
         ++tries) {
      std::this_thread::sleep_for(1s);
      rows = session_.run(sql);
    }
    return rows;
  }

  Session& session_;
  const OperateSettings& settings_;
  bool is_trial_;
  const std::function<void(std::string_view line)>& say_;
  int done_ = 0;
  std::string wrong_;
};

}  // namespace

CommandOutcome maintain(const OperateSettings& settings, bool is_trial,
                        const std::function<void(std::string_view line)>& say) {
  auto session = open_primary(settings, "shortener maintain");
  if (!session) return not_tried(session.error());
  return Upkeep(*session, settings, is_trial, say).run();
}

}  // namespace holdfast::app
