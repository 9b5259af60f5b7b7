// GET /stats/:code: by aggregates alone, from the replica; from the primary where the replica does not know the link,
// or is away. Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/stats_request.h"
#include "app/links/replicas.h"
#include "app/store/postgres.h"

#include <chrono>

namespace holdfast::app {

class StatsApi {
 public:
  StatsApi(Replicas& replicas, Postgres& primary, std::chrono::milliseconds deadline)
      : replicas_(replicas), primary_(primary), deadline_(deadline) {}

  void handle(ApiCall call);

 private:
  class Query;
  void ask(ApiCall call, StatsRequest request, Postgres& database);

  Replicas& replicas_;
  Postgres& primary_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
