// The numbered SQL files of app/migrations, embedded at build time.
#pragma once

#include <string_view>
#include <vector>

namespace holdfast::app {

struct Migration {
  std::string_view name;  // the file's, without .sql: `0001_links`
  std::string_view sql;
};

/// In the order of their numbers.
const std::vector<Migration>& migrations();

}  // namespace holdfast::app
