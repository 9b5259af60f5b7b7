// GET /stats/:code: from the replica; from the primary where the replica does not know the link, or is away.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/store/postgres.h"

#include <chrono>
#include <string_view>

namespace holdfast::app {

class StatsApi {
 public:
  StatsApi(Postgres& replica, Postgres& primary, std::chrono::milliseconds deadline)
      : replica_(replica), primary_(primary), deadline_(deadline) {}

  void handle(Reply reply, std::string_view code);

 private:
  class Query;
  void ask(Reply reply, std::string_view code, bool is_primary);
  void on_answer(Reply reply, std::string_view code, bool is_primary, const PgAnswer& answer);

  Postgres& replica_;
  Postgres& primary_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
