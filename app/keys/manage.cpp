#include "app/keys/manage.h"

#include "app/store/hashes.h"
#include "app/store/session.h"
#include "common/json.h"
#include "common/units.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

using Json = nlohmann::ordered_json;

/// Every instance keeps all valid keys in memory.
constexpr const char* kKeysMax = "10000";

KeysOutput failed(std::string why) { return {.out = {}, .wrong = std::move(why)}; }

KeysOutput with_session(const PostgresDsn& dsn, const std::function<KeysOutput(Session&)>& work) {
  auto session = Session::open(dsn, {.program = "shortener keys"});
  if (!session) return failed("cannot reach the database at " + dsn.shown + ": " + session.error());
  return work(*session);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text + "  ";
}

std::string quoted(std::string_view text) { return json_text(Json(text)); }

}  // namespace

KeysOutput create_key(const PostgresDsn& dsn, const KeyWanted& wanted, bool as_json) {
  const FreshKey fresh = make_api_key();
  const std::string sha256 = "\\x" + sha256_hex(fresh.text);
  const std::string scopes = scopes_literal(wanted.scopes);
  const auto duration = parse_duration(wanted.expires);
  const std::string seconds = duration ? std::to_string(duration->count() / 1000) : "";
  const char* from_now = duration ? seconds.c_str() : nullptr;
  const char* at = wanted.expires.empty() || duration ? nullptr : wanted.expires.c_str();
  return with_session(dsn, [&](Session& session) -> KeysOutput {
    const auto made = session.run(
        "WITH w AS (SELECT coalesce($5::timestamptz, now() + make_interval(secs => $6::float8)) AS until), "
        "made AS (INSERT INTO api_keys (id, name, sha256, scopes, expires_at) "
        "SELECT $1, $2, $3::bytea, $4::text[], until FROM w WHERE coalesce(until > now(), true) "
        "AND (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL) < $7::int RETURNING id) "
        "SELECT made.id IS NOT NULL, coalesce(until <= now(), false), "
        "to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM w LEFT JOIN made ON true",
        {fresh.id.c_str(), wanted.name.c_str(), sha256.c_str(), scopes.c_str(), at, from_now, kKeysMax});
    if (!made) return failed(made.error());
    if (made->is_true(0, 1)) return failed("--expires: '" + wanted.expires + "' is over already");
    if (!made->is_true(0, 0)) return failed(std::string("there are ") + kKeysMax + " keys already: revoke some");
    const std::string expires = made->is_null(0, 2) ? "" : std::string(made->text(0, 2));
    if (!as_json) return {.out = fresh.text + "\n", .wrong = {}};
    const Json json{{"id", fresh.id},
                    {"name", wanted.name},
                    {"key", fresh.text},
                    {"expiresAt", expires.empty() ? Json(nullptr) : Json(expires)}};
    return {.out = json_text(json) + "\n", .wrong = {}};
  });
}

KeysOutput list_keys(const PostgresDsn& dsn, bool as_json) {
  return with_session(dsn, [&](Session& session) -> KeysOutput {
    const auto rows = session.run(
        "SELECT id, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' "
        "ELSE 'valid' END, array_to_string(scopes, ','), "
        "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
        "to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), name "
        "FROM api_keys ORDER BY created_at, id");
    if (!rows) return failed(rows.error());
    if (as_json) {
      Json all = Json::array();
      for (int row = 0; row < rows->count(); ++row) {
        all.push_back({{"id", rows->text(row, 0)},
                       {"name", rows->text(row, 5)},
                       {"state", rows->text(row, 1)},
                       {"scopes", rows->text(row, 2)},
                       {"createdAt", rows->text(row, 3)},
                       {"expiresAt", rows->is_null(row, 4) ? Json(nullptr) : Json(rows->text(row, 4))}});
      }
      return {.out = json_text(all) + "\n", .wrong = {}};
    }
    const auto line = [](std::initializer_list<std::string> words) {
      constexpr std::size_t kWidths[] = {8, 7, 16, 20, 20};
      std::string text;
      std::size_t column = 0;
      for (const std::string& word : words) text += column < 5 ? padded(word, kWidths[column++]) : word;
      return text + "\n";
    };
    std::string out = line({"ID", "STATE", "SCOPES", "CREATED", "EXPIRES", "NAME"});
    for (int row = 0; row < rows->count(); ++row) {
      out += line({std::string(rows->text(row, 0)), std::string(rows->text(row, 1)), std::string(rows->text(row, 2)),
                   std::string(rows->text(row, 3)),
                   rows->is_null(row, 4) ? std::string("never") : std::string(rows->text(row, 4)),
                   quoted(rows->text(row, 5))});
    }
    return {.out = out, .wrong = {}};
  });
}

KeysOutput revoke_key(const PostgresDsn& dsn, const std::string& id) {
  const std::string sha256 = "\\x" + sha256_hex(id);
  return with_session(dsn, [&](Session& session) -> KeysOutput {
    const auto rows = session.run(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 OR sha256 = $2::bytea "
        "RETURNING id, name",
        {id.c_str(), sha256.c_str()});
    if (!rows) return failed(rows.error());
    if (rows->count() == 0) return failed("there is no such key; `shortener keys list` shows all");
    return {.out = "revoked " + std::string(rows->text(0, 0)) + " " + quoted(rows->text(0, 1)) + "\n", .wrong = {}};
  });
}

}  // namespace holdfast::app
