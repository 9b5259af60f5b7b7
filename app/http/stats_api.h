// GET /stats/:code: from the replica; from the primary where the replica does not know the link, or is away.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/links/replicas.h"
#include "app/store/postgres.h"

#include <chrono>
#include <string_view>

namespace holdfast::app {

class StatsApi {
 public:
  StatsApi(Replicas& replicas, Postgres& primary, std::chrono::milliseconds deadline)
      : replicas_(replicas), primary_(primary), deadline_(deadline) {}

  void handle(Reply reply, std::string_view code);

 private:
  class Query;
  void ask(Reply reply, std::string_view code, Postgres& database);
  void on_answer(Reply reply, std::string_view code, bool is_primary, const PgAnswer& answer);

  Replicas& replicas_;
  Postgres& primary_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
