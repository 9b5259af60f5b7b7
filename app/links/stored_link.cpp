#include "app/links/stored_link.h"

#include "app/store/number.h"
#include "common/json.h"
#include "common/time_text.h"

#include <nlohmann/json.hpp>

namespace holdfast::app {
namespace {

using Json = nlohmann::json;

std::int64_t ms_of(const std::string& time) {
  const auto point = parse_rfc3339(time);
  if (!point) return 0;
  return std::chrono::duration_cast<std::chrono::milliseconds>(point->time_since_epoch()).count();
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

LinkRules StoredLink::rules() const {
  return {.status = status,
          .is_enabled = is_enabled,
          .forwards_query = forwards_query,
          .is_crawlable = is_crawlable,
          .is_counted = max_visits != 0,
          .valid_since_ms = ms_of(valid_since),
          .valid_until_ms = ms_of(valid_until)};
}

StoredLink read_link(const PgAnswer& answer, int row, int first) {
  int column = first;
  const auto text = [&] { return std::string(answer.text(row, column++)); };  // NULL is empty
  const auto flag = [&] { return answer.is_true(row, column++); };
  StoredLink link;
  link.code = text();
  link.target = text();
  link.title = text();
  link.tags = texts_of_json(text());
  link.valid_since = text();
  link.valid_until = text();
  link.max_visits = number_of(text());
  link.is_enabled = flag();
  link.forwards_query = flag();
  link.is_crawlable = flag();
  link.status = static_cast<int>(number_of(text()));
  link.created_at = text();
  link.updated_at = text();
  link.version = number_of(text());
  link.owner = text();
  return link;
}

std::vector<std::string> texts_of_json(std::string_view json) {
  std::vector<std::string> texts;
  const Json parsed = parse_json(json);
  if (!parsed.is_array()) return texts;
  for (const Json& each : parsed) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::string record_of(const StoredLink& link) {
  Json record;
  record["code"] = link.code;
  record["target"] = link.target;
  record["title"] = or_null(link.title);
  record["tags"] = link.tags;
  record["valid_since"] = or_null(link.valid_since);
  record["valid_until"] = or_null(link.valid_until);
  record["max_visits"] = link.max_visits == 0 ? Json(nullptr) : Json(link.max_visits);
  record["enabled"] = link.is_enabled;
  record["forward_query"] = link.forwards_query;
  record["crawlable"] = link.is_crawlable;
  record["redirect_status"] = link.status;
  record["created_at"] = link.created_at;
  record["owner"] = or_null(link.owner);
  return json_text(record);
}

}  // namespace holdfast::app
