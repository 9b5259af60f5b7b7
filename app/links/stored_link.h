// A link with all that is kept of it, as the API shows it; its row, and its way into and out of SQL.
// Thread: any.
#pragma once

#include "app/links/rules.h"
#include "app/store/postgres_query.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct StoredLink {
  std::string code;
  std::string target;
  std::string title;  // empty: none
  std::vector<std::string> tags;
  std::string valid_since;  // RFC 3339 in UTC; empty: no bound
  std::string valid_until;
  std::int64_t max_visits = 0;  // 0: no bound
  bool is_enabled = true;
  bool forwards_query = true;
  bool is_crawlable = false;
  int status = 302;
  std::string created_at;  // RFC 3339
  std::string updated_at;
  std::int64_t version = 1;  // grows with each change
  std::string owner;         // the API key that made it; empty: none

  LinkRules rules() const;
  std::string packed() const { return app::packed(rules(), target); }
};

/// A row of the columns that statements.cpp calls LINK_COLUMNS, beginning at `first`.
StoredLink read_link(const PgAnswer& answer, int row, int first = 0);

/// A text[] as PostgreSQL writes it in JSON: `["a","b"]`.
std::vector<std::string> texts_of_json(std::string_view json);

/// The link as a JSON object whose members are columns; what create statements take.
std::string record_of(const StoredLink& link);

}  // namespace holdfast::app
