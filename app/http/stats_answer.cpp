#include "app/http/stats_answer.h"

#include "app/http/csv.h"
#include "app/store/number.h"
#include "common/escape.h"
#include "common/json.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

/// The columns, in their order.
enum Column : int {
  Deleted,
  Owner,
  Created,
  Total,
  Bots,
  LastVisit,
  FreshAsOf,
  HasZone,
  HasRange,
  From,
  To,
  RangeTotal,
  RangeBots,
  ByDay,
  ByHour,
  Referrers,
  Devices,
  Visitors,
};

void append_counts(std::string& out, std::int64_t total, std::int64_t bots) {
  out += R"("total":)" + std::to_string(total) + R"(,"nonBots":)" + std::to_string(total - bots) + R"(,"bots":)" +
         std::to_string(bots);
}

/// A time, or null.
std::string time_json(const PgAnswer& answer, Column column) {
  return answer.is_null(0, column) ? "null" : '"' + std::string(answer.text(0, column)) + '"';
}

/// What a CSV is made of: a column, the member that names a line, and how the table calls it.
struct Table {
  Column column;
  const char* member;
};
Table table_of(StatsBy by) {
  switch (by) {
    case StatsBy::Day:
      return {ByDay, "date"};
    case StatsBy::Hour:
      return {ByHour, "hour"};
    case StatsBy::Referrer:
      return {Referrers, "name"};
    case StatsBy::Device:
      return {Devices, "name"};
    case StatsBy::Visitors:
      return {Visitors, "date"};
  }
  return {ByDay, "date"};
}

}  // namespace

bool is_deleted(const PgAnswer& answer) { return answer.is_true(0, Deleted); }
std::string_view owner_of(const PgAnswer& answer) { return answer.text(0, Owner); }
bool has_zone(const PgAnswer& answer) { return answer.is_true(0, HasZone); }
bool has_range(const PgAnswer& answer) { return answer.is_true(0, HasRange); }

std::string stats_json(std::string_view code, const StatsRequest& request, const PgAnswer& answer) {
  const auto add = [&answer](std::string& out, std::string_view name, Column column) {
    out += ",\"";
    out += name;
    out += "\":";
    out += answer.text(0, column);  // JSON already
  };
  std::string out = R"({"shortCode":)";
  append_json_string(out, code);
  out += R"(,"dateCreated":)" + time_json(answer, Created) + R"(,"visitsSummary":{)";
  append_counts(out, number_of(answer.text(0, Total)), number_of(answer.text(0, Bots)));
  out += R"(},"lastVisit":)" + time_json(answer, LastVisit) + R"(,"freshAsOf":)" + time_json(answer, FreshAsOf);
  out += R"(,"range":{"from":")" + std::string(answer.text(0, From)) + R"(","to":")" + std::string(answer.text(0, To)) +
         R"(","tz":)";
  append_json_string(out, request.zone);
  out += ',';
  append_counts(out, number_of(answer.text(0, RangeTotal)), number_of(answer.text(0, RangeBots)));
  out += '}';
  add(out, "byDay", ByDay);
  if (!answer.is_null(0, ByHour)) add(out, "byHour", ByHour);
  add(out, "referrers", Referrers);
  add(out, "devices", Devices);
  add(out, "visitorsByDay", Visitors);
  return out += "}\n";
}

std::string stats_csv(const StatsRequest& request, const PgAnswer& answer) {
  const Table table = table_of(request.by);
  const auto rows = parse_json(answer.text(0, table.column));
  std::string out;
  if (request.by == StatsBy::Visitors) {
    append_csv_line(out, {"date", "estimate"});
    for (const auto& row : rows) {
      append_csv_line(out, {row["date"].get_ref<const std::string&>(), json_text(row["estimate"])});
    }
    return out;
  }
  const bool is_time = request.by == StatsBy::Day || request.by == StatsBy::Hour;
  append_csv_line(out, {is_time ? table.member : name_of(request.by), "total", "nonBots", "bots"});
  for (const auto& row : rows) {
    append_csv_line(out, {row[table.member].get_ref<const std::string&>(), json_text(row["total"]),
                          json_text(row["nonBots"]), json_text(row["bots"])});
  }
  return out;
}

}  // namespace holdfast::app
