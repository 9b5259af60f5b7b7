#include "app/operate/dead_letters.h"

#include "app/clicks/batch.h"
#include "app/operate/table.h"
#include "common/escape.h"
#include "common/json.h"
#include "common/time_text.h"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "shortener dlq";

#define TIME(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
#define COLUMNS                                                                                           \
  "id, kind, encode(bytes, 'hex'), reason, sqlstate, attempts, worker, instance, epoch, sequence, " TIME( \
      "first_seen") ", " TIME("last_seen") ", octet_length(bytes) "
/// Parameters: ids ('{}' for any), how the reason begins, how many (0 for all).
#define CHOSEN                                                                                      \
  "FROM dead_clicks WHERE ($1::uuid[] = '{}' OR id = ANY($1::uuid[])) AND starts_with(reason, $2) " \
  "ORDER BY first_seen, id LIMIT nullif($3::bigint, 0)"

enum Column : int { Id, Kind, Bytes, Reason, SqlState, Attempts, Worker, Instance, Epoch, Sequence, First, Last, Size };

/// A choice as the parameters of CHOSEN.
struct Chosen {
  explicit Chosen(const DeadChoice& choice)
      : ids(text_array(choice.ids)), reason(choice.reason), max(std::to_string(choice.max)) {}
  std::vector<const char*> values() const { return {ids.c_str(), reason.c_str(), max.c_str()}; }
  std::string ids;
  std::string reason;
  std::string max;
};

/// What the user gave for an id and is none; empty where all are well.
std::string wrong_id(const DeadChoice& choice) {
  for (const std::string& id : choice.ids) {
    if (!id_from_text(id))
      return "'" + escaped(id, 60) + "' is no id of a dead letter: `shortener dlq list` shows them";
  }
  return {};
}

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(static_cast<unsigned char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

Json or_null(const Rows& rows, int row, Column column) {
  return rows.is_null(row, column) ? Json(nullptr) : Json(rows.text(row, column));
}

Json as_json_object(const Rows& rows, int row) {
  Json json{{"id", rows.text(row, Id)},
            {"kind", rows.text(row, Kind)},
            {"reason", rows.text(row, Reason)},
            {"sqlstate", rows.text(row, SqlState)},
            {"attempts", number_at(rows, row, Attempts)},
            {"worker", rows.text(row, Worker)},
            {"instance", or_null(rows, row, Instance)},
            {"epoch", rows.is_null(row, Epoch) ? Json(nullptr) : Json(number_at(rows, row, Epoch))},
            {"sequence", rows.is_null(row, Sequence) ? Json(nullptr) : Json(number_at(rows, row, Sequence))},
            {"firstSeen", rows.text(row, First)},
            {"lastSeen", rows.text(row, Last)},
            {"bytes", rows.text(row, Bytes)}};
  const std::string bytes = from_hex(rows.text(row, Bytes));
  std::string_view rest = bytes;
  const auto click = take_record(rest);
  if (rows.text(row, Kind) != "record" || !click || !rest.empty()) return json;
  json["click"] = {{"code", click->code},
                   {"at", rfc3339(std::chrono::system_clock::time_point(std::chrono::milliseconds(click->at_ms)))},
                   {"atMs", click->at_ms},
                   {"referrer", click->referrer},
                   {"device", name_of(click->device)},
                   {"isBot", click->is_bot},
                   {"address", click->address.text()}};
  return json;
}

std::string line_of(const Json& json) { return json_text(json) + "\n"; }

std::string letters(std::int64_t count) { return grouped(count) + (count == 1 ? " dead letter" : " dead letters"); }

CommandOutcome none_found(const DeadChoice& choice) {
  if (choice.ids.empty()) return {.out = "no dead letters\n", .wrong = {}, .ended = Ended::Well};
  return partly("there is no such dead letter; `shortener dlq list` shows all");
}

enum class Requeued { Stored, WasThere, Failed, Unreadable };

/// The clicks of a dead letter, in `batch`, which keeps their bytes; none where it cannot be read. A single one is
/// known by the letter's id, and has no place in a journal that it could be done with: it is done with already.
std::vector<BatchClick> clicks_of(const std::string& bytes, const std::string& id, bool is_entry, Batch& batch) {
  if (is_entry) {
    batch.add_entry(bytes);
    return {batch.clicks().begin(), batch.clicks().end()};
  }
  std::string_view rest = bytes;
  const auto click = take_record(rest);
  const auto known = id_from_text(id);
  if (!click || !rest.empty() || !known) return {};
  return {{.click = *click, .record = bytes, .id = *known, .source = {}, .sequence = 0}};
}

/// In one transaction: it is stored and is no dead letter any more, or it stays and says why.
tl::expected<Requeued, std::string> requeue_one(Session& session, const std::string& id) {
  const auto undone = [&session](Requeued what) {
    (void)session.run("ROLLBACK");
    return what;
  };
  if (const auto begun = session.run("BEGIN"); !begun) return tl::unexpected(begun.error());
  const auto row =
      session.run("SELECT kind, encode(bytes, 'hex') FROM dead_clicks WHERE id = $1 FOR UPDATE", {id.c_str()});
  if (!row) return tl::unexpected(row.error());
  if (row->count() == 0) return undone(Requeued::WasThere);  // another terminal was quicker
  const std::string bytes = from_hex(row->text(0, 1));
  Batch batch;
  const auto clicks = clicks_of(bytes, id, row->text(0, 0) == "entry", batch);
  if (clicks.empty()) return undone(Requeued::Unreadable);
  const auto arguments = ingest_arguments(clicks, batch.dead(), kProgram);
  std::vector<const char*> values;
  for (const std::string& value : arguments) values.push_back(value.c_str());
  // The letter goes first: one that comes of it again, of an entry of which a part cannot be read, may have its id.
  auto done = session.run("DELETE FROM dead_clicks WHERE id = $1", {id.c_str()});
  if (!done) return tl::unexpected(done.error());
  const auto stored = session.run(
      "SELECT stored FROM ingest_clicks_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)", values);
  if (!stored) {
    const std::string why = stored.error();
    const std::string sqlstate = session.sqlstate();
    if (sqlstate.empty()) return tl::unexpected(why);  // the connection is gone
    (void)session.run("ROLLBACK");
    const auto noted = session.run(
        "UPDATE dead_clicks SET attempts = attempts + 1, last_seen = now(), reason = $2, sqlstate = $3 WHERE id = $1 "
        "RETURNING 1",
        {id.c_str(), why.c_str(), sqlstate.c_str()});
    if (!noted) return tl::unexpected(noted.error());
    return Requeued::Failed;
  }
  done = session.run("COMMIT");
  if (!done) return tl::unexpected(done.error());
  return number_at(*stored, 0, 0) > 0 ? Requeued::Stored : Requeued::WasThere;
}

/// Into a new file that nobody else reads.
std::string write_new(const std::string& file, const std::string& text) {
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0) {
    return file + ": " + std::strerror(errno) + (errno == EEXIST ? "; name one that there is not yet" : "");
  }
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(out, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  const bool is_safe = done == text.size() && ::fsync(out) == 0;
  const int problem = errno;
  ::close(out);
  return is_safe ? std::string() : file + ": " + std::strerror(problem);
}

}  // namespace

CommandOutcome list_dead(const OperateSettings& settings, const DeadChoice& choice, bool as_json) {
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const Chosen chosen(choice);
  const auto rows = session->run("SELECT " COLUMNS CHOSEN, chosen.values());
  const auto all = session->run("SELECT count(*) FROM dead_clicks");
  if (!rows || !all) return not_tried(rows ? all.error() : rows.error());
  if (as_json) {
    Json list = Json::array();
    for (int row = 0; row < rows->count(); ++row) list.push_back(as_json_object(*rows, row));
    return {.out = line_of({{"total", number_at(*all, 0, 0)}, {"deadLetters", list}}), .wrong = {}};
  }
  if (rows->count() == 0) return none_found({});
  std::vector<std::vector<std::string>> table{{"ID", "FIRST SEEN", "TRIES", "KIND", "BYTES", "STATE", "REASON"}};
  for (int row = 0; row < rows->count(); ++row) {
    auto& line = table.emplace_back();
    for (const Column column : {Id, First, Attempts, Kind, Size, SqlState, Reason})
      line.emplace_back(rows->text(row, column));
  }
  return {.out = table_of(table, {false, false, true, false, true}) + std::to_string(rows->count()) + " of " +
                 letters(number_at(*all, 0, 0)) + "\n",
          .wrong = {}};
}

CommandOutcome show_dead(const OperateSettings& settings, const std::string& id, bool as_json) {
  const DeadChoice choice{.ids = {id}, .reason = {}, .max = 0};
  if (std::string wrong = wrong_id(choice); !wrong.empty()) return not_tried(std::move(wrong));
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const Chosen chosen(choice);
  const auto rows = session->run("SELECT " COLUMNS CHOSEN, chosen.values());
  if (!rows) return not_tried(rows.error());
  if (rows->count() == 0) return none_found(choice);
  const Json json = as_json_object(*rows, 0);
  if (as_json) return {.out = line_of(json), .wrong = {}};
  std::vector<std::vector<std::string>> table;
  for (const auto& [name, value] : json.items()) {
    if (name == "click") continue;
    table.push_back({name, value.is_string() ? value.get<std::string>() : json_text(value)});
  }
  if (!json.contains("click")) table.push_back({"click", "cannot be read"});
  const Json click = json.value("click", Json::object());
  for (const auto& [name, value] : click.items()) {
    table.push_back({"click." + name, value.is_string() ? value.get<std::string>() : json_text(value)});
  }
  return {.out = table_of(table), .wrong = {}};
}

CommandOutcome requeue_dead(const OperateSettings& settings, const DeadChoice& choice, bool as_json,
                            const std::function<void(std::string_view line)>& say) {
  if (std::string wrong = wrong_id(choice); !wrong.empty()) return not_tried(std::move(wrong));
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const Chosen chosen(choice);
  const auto ids = session->run("SELECT id " CHOSEN, chosen.values());
  if (!ids) return not_tried(ids.error());
  if (ids->count() == 0 && !as_json) return none_found(choice);
  std::array<std::int64_t, 4> counts{};
  std::string lost;
  for (int row = 0; row < ids->count() && lost.empty(); ++row) {
    const auto one = requeue_one(*session, std::string(ids->text(row, 0)));
    if (one) {
      ++counts[static_cast<std::size_t>(*one)];
    } else {
      lost = one.error();
    }
    if ((row + 1) % 1'000 == 0) say(grouped(row + 1) + " of " + grouped(ids->count()));
  }
  const auto [stored, was_there, failed, unreadable] = counts;
  const Ended ended = lost.empty() ? failed + unreadable == 0 ? Ended::Well : Ended::Partly : Ended::NotTried;
  if (as_json) {
    return {.out = line_of(
                {{"stored", stored}, {"storedBefore", was_there}, {"failedAgain", failed}, {"unreadable", unreadable}}),
            .wrong = lost,
            .ended = ended};
  }
  std::string out = grouped(stored) + " stored";
  if (was_there > 0) out += ", " + grouped(was_there) + " had been stored before and were not counted again";
  if (failed > 0) out += ", " + grouped(failed) + " failed again: `shortener dlq list` says why";
  if (unreadable > 0) out += ", " + grouped(unreadable) + " cannot be read by this release: export or drop them";
  return {.out = out + "\n", .wrong = lost, .ended = ended};
}

CommandOutcome export_dead(const OperateSettings& settings, const DeadChoice& choice, const std::string& file) {
  if (std::string wrong = wrong_id(choice); !wrong.empty()) return not_tried(std::move(wrong));
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const Chosen chosen(choice);
  const auto rows = session->run("SELECT " COLUMNS CHOSEN, chosen.values());
  if (!rows) return not_tried(rows.error());
  std::string lines;
  for (int row = 0; row < rows->count(); ++row) lines += line_of(as_json_object(*rows, row));
  if (file == "-") return {.out = lines, .wrong = {}};
  if (std::string wrong = write_new(file, lines); !wrong.empty()) return not_tried(std::move(wrong));
  return {.out = letters(rows->count()) + " written to " + file + "; they are still in the queue\n", .wrong = {}};
}

CommandOutcome drop_dead(const OperateSettings& settings, const DeadChoice& choice, bool is_sure) {
  if (std::string wrong = wrong_id(choice); !wrong.empty()) return not_tried(std::move(wrong));
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const Chosen chosen(choice);
  const auto rows =
      is_sure ? session->run("DELETE FROM dead_clicks WHERE id IN (SELECT id " CHOSEN ") RETURNING 1", chosen.values())
              : session->run("SELECT 1 " CHOSEN, chosen.values());
  if (!rows) return not_tried(rows.error());
  if (rows->count() == 0) return none_found(choice);
  if (is_sure) return {.out = letters(rows->count()) + " dropped\n", .wrong = {}};
  return {.out = letters(rows->count()) +
                 " would be dropped, for good: `shortener dlq export FILE` keeps a copy, --yes "
                 "does it\n",
          .wrong = {}};
}

}  // namespace holdfast::app
