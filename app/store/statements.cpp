#include "app/store/statements.h"

namespace holdfast::app {

// clang-format off
#define TIME_TEXT(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/// What read_link() reads.
#define LINK_COLUMNS(t)                                                                                          \
  t "code, " t "target, " t "title, array_to_json(" t "tags), " TIME_TEXT(t "valid_since") ", "                  \
  TIME_TEXT(t "valid_until") ", " t "max_visits, " t "enabled, " t "forward_query, " t "crawlable, "             \
  t "redirect_status, " TIME_TEXT(t "created_at") ", " TIME_TEXT(t "updated_at") ", " t "version, " t "owner "

/// A link as the caches keep it: what packed() of app/links/rules.h writes.
#define PACKED_LINK                                                                                              \
  "CASE WHEN redirect_status = 302 AND enabled AND forward_query AND NOT crawlable AND max_visits IS NULL "       \
  "AND valid_since IS NULL AND valid_until IS NULL THEN target ELSE '=' || redirect_status "                      \
  "|| CASE WHEN enabled THEN '' ELSE 'x' END || CASE WHEN forward_query THEN '' ELSE 'q' END "                    \
  "|| CASE WHEN crawlable THEN 'r' ELSE '' END || CASE WHEN max_visits IS NULL THEN '' ELSE 'm' END "             \
  "|| ';' || coalesce((extract(epoch FROM valid_since) * 1000)::bigint, 0) "                                      \
  "|| ';' || coalesce((extract(epoch FROM valid_until) * 1000)::bigint, 0) || ' ' || target END"

/// The columns of a link that is made of the JSON object `parameter`.
#define LINK_RECORD(parameter)                                                                                   \
  "jsonb_to_record(" parameter "::jsonb) AS x (code text, target text, title text, tags text[], "                 \
  "valid_since timestamptz, valid_until timestamptz, max_visits bigint, enabled boolean, forward_query boolean, " \
  "crawlable boolean, redirect_status smallint, created_at timestamptz, owner text)"
#define INSERT_LINK                                                                                              \
  "INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at, title, tags, valid_since, "    \
  "valid_until, max_visits, enabled, forward_query, crawlable, redirect_status, owner) "                          \
  "SELECT '', x.code, x.target, sha256(convert_to(x.target, 'UTF8')), x.created_at, x.created_at, x.title, "      \
  "x.tags, x.valid_since, x.valid_until, x.max_visits, x.enabled, x.forward_query, x.crawlable, "                 \
  "x.redirect_status, x.owner FROM "

/// Of q and v in Statement::LinkStatistics.
#define SUMS_OF_CLICKS "sum(n) AS total, sum(n - bots) AS \"nonBots\", sum(bots) AS bots"
#define VALUES_OF_CLICKS(dim)                                                                                    \
  "SELECT CASE WHEN val = '' THEN '(direct)' ELSE val END AS name, n AS total, n - bots AS \"nonBots\", bots FROM v " \
  "WHERE dim = '" dim "' AND n > 0 ORDER BY n DESC, val LIMIT 100"

/// Of one link: all time, then a range of days in a time zone, by aggregates alone. A zone that there is not, or a
/// range that is none, has no rows of its own. The index is read a day further on both sides, since a day may begin
/// twice; what is local decides. All clicks before the seventh column are counted: it is the time of the oldest that some
/// instance still has, or else of its last word. Who is silent for ten seconds may have been taken out; who had
/// clicks waiting then is believed to come back for a day.
/// Parameters: code, zone, first day, last day ('' for the usual), without bots?, days at most, by hour too?
constexpr const char* kLinkStatistics =
    "WITH r AS MATERIALIZED (SELECT z.name, d.f, d.t, d.t - d.f + 1 BETWEEN 1 AND $6::int AS is_well "
    "FROM time_zones AS z, "
    "LATERAL (SELECT coalesce(nullif($4, '')::date, (now() AT TIME ZONE z.name)::date) AS t) AS u, "
    "LATERAL (SELECT coalesce(nullif($3, '')::date, u.t - 29) AS f, u.t) AS d WHERE z.name = $2), "
    "q AS MATERIALIZED (SELECT q.quarter, q.quarter AT TIME ZONE r.name AS local, "
    "q.n - CASE WHEN $5::boolean THEN q.bots ELSE 0 END AS n, CASE WHEN $5::boolean THEN 0 ELSE q.bots END AS bots "
    "FROM r JOIN click_quarters AS q ON q.domain = '' AND q.code = $1 "
    "AND q.quarter >= (r.f - 1)::timestamp AT TIME ZONE r.name AND q.quarter < (r.t + 2)::timestamp AT TIME ZONE r.name "
    "WHERE r.is_well AND (q.quarter AT TIME ZONE r.name)::date BETWEEN r.f AND r.t), "
    "v AS MATERIALIZED (SELECT d.dim, d.val, sum(d.n) - CASE WHEN $5::boolean THEN sum(d.bots) ELSE 0 END AS n, "
    "CASE WHEN $5::boolean THEN 0 ELSE sum(d.bots) END AS bots "
    "FROM r JOIN click_daily AS d ON d.domain = '' AND d.code = $1 AND d.day BETWEEN r.f AND r.t "
    "WHERE r.is_well GROUP BY d.dim, d.val) "
    "SELECT l.deleted_at IS NOT NULL, l.owner, " TIME_TEXT("l.created_at") ", "
    "coalesce(lv.total, 0), coalesce(lv.bots, 0), " TIME_TEXT("lv.last_at") ", "
    "(SELECT " TIME_TEXT("coalesce(min(coalesce(j.oldest_at, j.reported_at)), (SELECT max(updated_at) FROM click_watermarks))") " "
    "FROM click_journals AS j, (SELECT max(reported_at) AS at FROM click_journals) AS newest "
    "WHERE j.reported_at > newest.at - CASE WHEN j.waiting > 0 THEN interval '1 day' ELSE interval '10 s' END), "
    "r.name IS NOT NULL, coalesce(r.is_well, false), r.f, r.t, "
    "(SELECT coalesce(sum(n), 0) FROM q), (SELECT coalesce(sum(bots), 0) FROM q), "
    "(SELECT coalesce(json_agg(x), '[]') FROM (SELECT local::date AS date, " SUMS_OF_CLICKS " FROM q "
    "GROUP BY 1 HAVING sum(n) > 0 ORDER BY 1) AS x), "
    "CASE WHEN $7::boolean THEN (SELECT coalesce(json_agg(x), '[]') FROM (SELECT "
    "to_char(date_trunc('hour', o.local), 'YYYY-MM-DD\"T\"HH24:MI') || CASE WHEN o.ahead < interval '0' THEN '-' ELSE '+' "
    "END || to_char(greatest(o.ahead, -o.ahead), 'HH24:MI') AS hour, " SUMS_OF_CLICKS " "
    "FROM (SELECT *, local - quarter AT TIME ZONE 'UTC' AS ahead FROM q) AS o "
    "GROUP BY date_trunc('hour', o.local), o.ahead HAVING sum(n) > 0 ORDER BY min(o.quarter)) AS x) END, "
    "(SELECT coalesce(json_agg(x), '[]') FROM (" VALUES_OF_CLICKS("referrer") ") AS x), "
    "(SELECT coalesce(json_agg(x), '[]') FROM (" VALUES_OF_CLICKS("device") ") AS x), "
    "(SELECT coalesce(json_agg(x), '[]') FROM (SELECT s.day AS date, count_visitors_v1(s.sketch) AS estimate "
    "FROM r JOIN click_visitors AS s ON s.domain = '' AND s.code = $1 AND s.day BETWEEN r.f AND r.t WHERE r.is_well "
    "ORDER BY 1) AS x) "
    "FROM links AS l LEFT JOIN link_visits AS lv USING (domain, code) LEFT JOIN r ON true "
    "WHERE l.domain = '' AND l.code = $1";

/// One page of links. Parameters: where the last page ended (time, code), what their code, target or title contains
/// (a pattern; '' for any), tags that they all have, their owner ('' for any), how many.
#define LIST_LINKS(after, order)                                                                                 \
  "SELECT " LINK_COLUMNS("") "FROM links WHERE domain = '' AND deleted_at IS NULL AND " after " "                 \
  "AND ($3 = '' OR code ILIKE $3 OR target ILIKE $3 OR title ILIKE $3) "                                          \
  "AND ($4::text[] = '{}' OR tags @> $4::text[]) AND ($5 = '' OR owner = $5) ORDER BY " order " LIMIT $6::int"
// clang-format on

// In this release every link belongs to the default domain, '' (the key has a domain from day one).
constexpr std::array<StatementInfo, static_cast<std::size_t>(Statement::Last) + 1> kStatements{{
    {Statement::Ping, Access::Read, "ping", "SELECT 1"},

    // What a snapshot did not show of the feed, and where the server stands: its LSN (which covers every change that is
    // shown, being read after them), what this reading could see, its timeline. One row at least.
    // A write, since replicas neither have an LSN of their own nor need to have the table yet. Of all domains, since
    // the planner, were it to guess how few rows a domain has, would sort all that follow for each page. Parameters:
    // transaction, number (the row to go on behind), the snapshot, how many.
    {Statement::ReadFeed, Access::Write, "read_feed",
     "WITH c AS (SELECT xid, seq, code, is_deleted FROM link_changes "
     "WHERE (xid, seq) > ($1::text::xid8, $2::bigint) AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) "
     "ORDER BY xid, seq LIMIT $4::int) "
     "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, "
     "pg_current_snapshot()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), "
     "c.xid::text, c.seq, c.code, c.is_deleted FROM (SELECT 1) AS one LEFT JOIN c ON true ORDER BY c.xid, c.seq"},

    // What nobody needs any more, a bounded piece of it; several instances may be at it. Parameter: seconds.
    {Statement::TrimFeed, Access::Write, "trim_feed",
     "DELETE FROM link_changes WHERE (xid, seq) IN (SELECT xid, seq FROM link_changes "
     "WHERE at < now() - make_interval(secs => $1::float8) ORDER BY xid, seq LIMIT 5000 FOR UPDATE SKIP LOCKED)"},

    // How far a replica has got; of a server that writes itself, all the way.
    {Statement::ReplicaStatus, Access::Read, "replica_status",
     "SELECT coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
     "ELSE pg_current_wal_insert_lsn() END, '0/0')::bigint, 0)"},

    {Statement::FindLinks, Access::Read, "find_links",
     "SELECT code, deleted_at IS NOT NULL, CASE WHEN deleted_at IS NULL THEN " PACKED_LINK " END "
     "FROM links WHERE domain = '' AND code = ANY($1::text[])"},

    {Statement::LinkStatistics, Access::Read, "link_statistics", kLinkStatistics},

    // Parameter: the link as record_of() writes it.
    {Statement::CreateLink, Access::Write, "create_link", INSERT_LINK LINK_RECORD("$1")},

    // Link and response in one statement. A concurrent duplicate waits on the unique index for the outcome of the
    // first; DO UPDATE, unlike DO NOTHING, then gives it the stored row. What a fault leaves undone is undone whole.
    // Parameters: the link, scope, key, fingerprint, body.
    {Statement::CreateLinkOnce, Access::Write, "create_link_once",
     "WITH k AS (INSERT INTO idempotency AS i (scope, key, fingerprint, status, body) "
     "VALUES ($2, $3, $4::bytea, 201, $5) "
     "ON CONFLICT (scope, key) DO UPDATE SET replays = i.replays + 1 "
     "RETURNING i.fingerprint = $4::bytea AS matches, i.body, (xmax = 0) AS fresh), "
     "l AS (" INSERT_LINK LINK_RECORD("$1") ", k WHERE k.fresh) "
                                            "SELECT fresh, matches, body FROM k"},

    // A repeated deletion keeps the first one's time, and finds the row again: 204 both times. One row for a link that
    // there is or was; true where it is another's. Parameters: code, the owner that is expected ('' for any).
    {Statement::DeleteLink, Access::Write, "delete_link",
     "WITH old AS (SELECT ($2 <> '' AND owner IS DISTINCT FROM $2) AS foreign_ FROM links "
     "WHERE domain = '' AND code = $1 FOR UPDATE), "
     "gone AS (UPDATE links SET deleted_at = coalesce(deleted_at, now()), updated_at = coalesce(deleted_at, now()) "
     "FROM old WHERE domain = '' AND code = $1 AND NOT foreign_) SELECT foreign_ FROM old"},

    // Parameters: links with their codes, created, scope, key, fingerprint (app/migrations/0010).
    {Statement::CreateLinks, Access::Write, "create_links",
     "SELECT fresh, matches, body FROM create_links_v1($1::jsonb, $2::timestamptz, $3, $4, $5::bytea)"},

    {Statement::ReadLink, Access::Read, "read_link",
     "SELECT deleted_at IS NOT NULL, " LINK_COLUMNS("") "FROM links WHERE domain = '' AND code = $1"},

    // A merge patch: members that are there replace, null empties. One row for a link that there is, deleted or not;
    // whether it was changed is told by its new version, and why it was not by the rest.
    // Parameters: code, changes (an object of columns), the version that is expected ('' for any), the owner
    // (likewise).
    {Statement::ChangeLink, Access::Write, "change_link",
     "WITH old AS (SELECT * FROM links WHERE domain = '' AND code = $1 FOR UPDATE), "
     "new AS (SELECT CASE WHEN $2::jsonb ? 'valid_since' THEN ($2::jsonb ->> 'valid_since')::timestamptz "
     "ELSE valid_since END AS since, CASE WHEN $2::jsonb ? 'valid_until' "
     "THEN ($2::jsonb ->> 'valid_until')::timestamptz ELSE valid_until END AS until FROM old), "
     "changed AS (UPDATE links AS l SET "
     "target = coalesce($2::jsonb ->> 'target', l.target), "
     "target_sha256 = sha256(convert_to(coalesce($2::jsonb ->> 'target', l.target), 'UTF8')), "
     "title = CASE WHEN $2::jsonb ? 'title' THEN $2::jsonb ->> 'title' ELSE l.title END, "
     "tags = CASE WHEN $2::jsonb ? 'tags' THEN ARRAY(SELECT jsonb_array_elements_text($2::jsonb -> 'tags')) "
     "ELSE l.tags END, valid_since = new.since, valid_until = new.until, "
     "max_visits = CASE WHEN $2::jsonb ? 'max_visits' THEN ($2::jsonb ->> 'max_visits')::bigint "
     "ELSE l.max_visits END, "
     "enabled = coalesce(($2::jsonb ->> 'enabled')::boolean, l.enabled), "
     "forward_query = coalesce(($2::jsonb ->> 'forward_query')::boolean, l.forward_query), "
     "crawlable = coalesce(($2::jsonb ->> 'crawlable')::boolean, l.crawlable), "
     "redirect_status = coalesce(($2::jsonb ->> 'redirect_status')::smallint, l.redirect_status), "
     "updated_at = now(), version = l.version + 1 FROM old, new "
     "WHERE l.domain = '' AND l.code = $1 AND old.deleted_at IS NULL AND ($3 = '' OR old.version = $3::bigint) "
     "AND ($4 = '' OR old.owner = $4) AND (new.since IS NULL OR new.until IS NULL OR new.since < new.until) "
     "RETURNING " LINK_COLUMNS(
         "l.") ") "
               "SELECT old.deleted_at IS NOT NULL, ($4 <> '' AND old.owner IS DISTINCT FROM $4), "
               "($3 <> '' AND old.version <> $3::bigint), coalesce(new.since >= new.until, false), "
               "changed.* FROM old CROSS JOIN new LEFT JOIN changed ON true"},

    // One visit of a link that may be followed so often; no row where it was followed as often already.
    // Parameters: code, 1 for a visit or 0 for a look.
    {Statement::UseVisit, Access::Write, "use_visit",
     "UPDATE links SET visits_used = visits_used + $2::bigint WHERE domain = '' AND code = $1 "
     "AND deleted_at IS NULL AND (max_visits IS NULL OR visits_used < max_visits) RETURNING 1"},

    // A link that leads there, made by the same owner ('' for nobody), as plain as what was asked for.
    {Statement::FindTarget, Access::Read, "find_target",
     "SELECT " LINK_COLUMNS(
         "") "FROM links WHERE domain = '' AND target_sha256 = $1::bytea AND deleted_at IS NULL "
             "AND coalesce(owner, '') = $2 AND enabled AND max_visits IS NULL AND valid_since IS NULL AND valid_until "
             "IS NULL "
             "AND redirect_status = $3::smallint AND forward_query = $4::boolean AND crawlable = $5::boolean "
             "ORDER BY created_at LIMIT 1"},

    {Statement::ListNewest, Access::Read, "list_newest",
     LIST_LINKS("(created_at, code) < ($1::timestamptz, $2)", "created_at DESC, code DESC")},
    {Statement::ListOldest, Access::Read, "list_oldest",
     LIST_LINKS("(created_at, code) > ($1::timestamptz, $2)", "created_at, code")},
    {Statement::ListByCode, Access::Read, "list_by_code",
     LIST_LINKS("$1::timestamptz IS NOT NULL AND code > $2", "code")},
    {Statement::ListByCodeBackwards, Access::Read, "list_by_code_backwards",
     LIST_LINKS("$1::timestamptz IS NOT NULL AND code < $2", "code DESC")},

    // All valid API keys where something has changed; else one row that says that nothing has.
    // Parameter: the version that is known.
    {Statement::ReadKeys, Access::Read, "read_keys",
     "SELECT v.version, encode(k.sha256, 'hex'), k.id, array_to_string(k.scopes, ','), "
     "(extract(epoch FROM k.expires_at) * 1000)::bigint FROM api_keys_version v "
     "LEFT JOIN api_keys k ON v.version <> $1::bigint AND k.revoked_at IS NULL"},
}};

namespace {

constexpr bool stand_at_their_index() {
  for (std::size_t i = 0; i < kStatements.size(); ++i) {
    if (static_cast<std::size_t>(kStatements[i].id) != i) return false;
  }
  return true;
}
static_assert(stand_at_their_index(), "row n is statement n");

}  // namespace

std::string array_literal(const std::vector<std::string_view>& items) {
  std::string text = "{";
  for (const std::string_view item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text += '}';
}

}  // namespace holdfast::app
