// GET /stats/:code: by aggregates alone, from the replica; from the primary where the replica does not know the link,
// or is away. Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/stats_request.h"
#include "app/store/postgres.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace holdfast::app {

class StatsApi {
 public:
  /// The last of `servers` is the primary.
  StatsApi(std::vector<std::unique_ptr<Postgres>> servers, std::chrono::milliseconds deadline)
      : servers_(std::move(servers)), deadline_(deadline) {}

  void start();
  /// Whether each server has been reached, or found to be away.
  bool are_servers_known() const;

  void handle(ApiCall call);

 private:
  class Query;
  Postgres& primary() { return *servers_.back(); }
  void ask(ApiCall call, StatsRequest request, Postgres& database);

  std::vector<std::unique_ptr<Postgres>> servers_;
  std::chrono::milliseconds deadline_;
};

}  // namespace holdfast::app
