// A PostgreSQL server as a place to look links up: one statement for a whole batch.
// Thread: the loop's.
#pragma once

#include "app/links/stores.h"
#include "app/store/postgres.h"

#include <chrono>

namespace holdfast::app {

/// The question for these codes, to be sent to a server.
PgQueryPtr make_find_links(const std::vector<std::string_view>& codes, Tier tier, LinkDatabase::Receiver& receiver);

class PostgresLinks final : public LinkDatabase {
 public:
  PostgresLinks(Postgres& postgres, Tier tier, std::chrono::milliseconds deadline)
      : postgres_(postgres), tier_(tier), deadline_(deadline) {}

  bool is_available() const override { return postgres_.is_available(); }
  void ask(const std::vector<std::string_view>& codes, Receiver& receiver) override;

 private:
  Postgres& postgres_;
  Tier tier_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
