#include "app/store/statements.h"

namespace holdfast::app {

// In this release every link belongs to the default domain, '' (the key has a domain from day one).
constexpr std::array<StatementInfo, static_cast<std::size_t>(Statement::Last) + 1> kStatements{{
    {Statement::Ping, Access::Read, "ping", "SELECT 1"},

    {Statement::FindLinks, Access::Read, "find_links",
     "SELECT code, deleted_at IS NOT NULL, CASE WHEN deleted_at IS NULL THEN target END "
     "FROM links WHERE domain = '' AND code = ANY($1::text[])"},

    {Statement::LinkStatistics, Access::Read, "link_statistics",
     "SELECT l.deleted_at IS NOT NULL, "
     "to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
     "coalesce(v.total, 0), "
     "to_char(v.last_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') "
     "FROM links l LEFT JOIN link_visits v USING (domain, code) WHERE l.domain = '' AND l.code = $1"},

    {Statement::CreateLink, Access::Write, "create_link",
     "INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) "
     "VALUES ('', $1, $2, $3::bytea, $4::timestamptz, $4::timestamptz)"},

    // Link and response in one statement. A concurrent duplicate waits on the unique index for the outcome of the
    // first; DO UPDATE, unlike DO NOTHING, then gives it the stored row. What a fault leaves undone is undone whole.
    // Parameters: code, target, hash, created, scope, key, fingerprint, body.
    {Statement::CreateLinkOnce, Access::Write, "create_link_once",
     "WITH k AS (INSERT INTO idempotency AS i (scope, key, fingerprint, status, body) "
     "VALUES ($5, $6, $7::bytea, 201, $8) "
     "ON CONFLICT (scope, key) DO UPDATE SET replays = i.replays + 1 "
     "RETURNING i.fingerprint = $7::bytea AS matches, i.body, (xmax = 0) AS fresh), "
     "l AS (INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) "
     "SELECT '', $1, $2, $3::bytea, $4::timestamptz, $4::timestamptz FROM k WHERE fresh) "
     "SELECT fresh, matches, body FROM k"},

    // A repeated deletion keeps the first one's time, and finds the row again: 204 both times.
    {Statement::DeleteLink, Access::Write, "delete_link",
     "UPDATE links SET deleted_at = coalesce(deleted_at, now()), updated_at = coalesce(deleted_at, now()) "
     "WHERE domain = '' AND code = $1 RETURNING 1"},

    // One batch of one instance, counted once however often it is sent: the watermark tells whether it is new.
    // Rows are taken in the order of their key, so that two instances cannot lock each other out.
    // Parameters: instance, sequence, codes, counts.
    {Statement::AddVisits, Access::Write, "add_visits",
     "WITH w AS (INSERT INTO visit_watermarks AS w (instance, sequence) VALUES ($1::uuid, $2::bigint) "
     "ON CONFLICT (instance) DO UPDATE SET sequence = excluded.sequence, updated_at = now() "
     "WHERE w.sequence < excluded.sequence RETURNING 1) "
     "INSERT INTO link_visits AS v (domain, code, total, last_at) "
     "SELECT '', b.code, b.visits, now() FROM unnest($3::text[], $4::bigint[]) AS b (code, visits) "
     "WHERE EXISTS (SELECT FROM w) ORDER BY b.code COLLATE \"C\" "
     "ON CONFLICT (domain, code) DO UPDATE SET total = v.total + excluded.total, last_at = excluded.last_at"},
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
