// A PostgreSQL server as a place to look links up: one statement for a whole batch.
// Thread: the loop's.
#pragma once

#include "app/links/stores.h"
#include "app/store/postgres.h"

#include <chrono>

namespace holdfast::app {

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
