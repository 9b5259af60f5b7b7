#include "app/http/stats_api.h"

#include "app/http/csv.h"
#include "app/http/stats_answer.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace holdfast::app {

class StatsApi::Query final : public PgQuery {
 public:
  Query(StatsApi& stats, ApiCall call, StatsRequest request, bool is_primary)
      : PgQuery(Statement::LinkStatistics),
        stats_(stats),
        call_(std::move(call)),
        request_(std::move(request)),
        is_primary_(is_primary) {
    add(call_.code);
    add(request_.zone);
    add(request_.from);
    add(request_.to);
    add(request_.excludes_bots ? "true" : "false");
    add(std::to_string(request_.days_max()));
    add(request_.by == StatsBy::Hour ? "true" : "false");
  }

  void on_answer(const PgAnswer& answer) override {
    // A replica may lack what the primary has: the link, the zone, the table.
    const bool is_last_word = is_primary_ || (answer.is_ok() && answer.rows() > 0 && has_zone(answer));
    if (!is_last_word) return stats_.ask(std::move(call_), std::move(request_), stats_.primary());
    reply(answer);
  }

 private:
  void reply(const PgAnswer& answer) {
    Reply& reply = call_.reply;
    if (!answer.is_ok()) return reply.problem(unavailable("Statistics cannot be read at the moment. Try again.", 5));
    if (answer.rows() == 0) return reply.problem(not_found());
    if (is_deleted(answer)) return reply.problem(link_deleted());
    if (const std::string owner = call_.caller.owner(); !owner.empty() && owner_of(answer) != owner) {
      return reply.problem(foreign_link());
    }
    if (!has_zone(answer)) return reply.problem(bad_data({wrong_zone(request_)}));
    if (!has_range(answer)) return reply.problem(bad_data({wrong_range(request_)}));
    if (!request_.is_csv) {
      return reply.send(200, "application/json", {kNoStore}, stats_json(call_.code, request_, answer));
    }
    // A code is made of letters that need no quoting there.
    const std::string file =
        "attachment; filename=\"" + call_.code + "-" + std::string(name_of(request_.by)) + ".csv\"";
    reply.send(200, kCsv, {{.name = "Content-Disposition", .value = file, .id = FieldId::Other}, kNoStore},
               stats_csv(request_, answer));
  }

  StatsApi& stats_;
  ApiCall call_;
  StatsRequest request_;
  bool is_primary_;
};

void StatsApi::start() {
  for (const auto& each : servers_) each->start();
}

bool StatsApi::are_servers_known() const {
  return std::all_of(servers_.begin(), servers_.end(), [](const auto& each) { return each->dependency().is_known(); });
}

void StatsApi::handle(ApiCall call) {
  auto request = parse_stats(call.query, call.accept);
  call.reply.add("Vary", "Accept");
  if (!request) return call.reply.problem(bad_data(std::move(request.error())));
  const auto there =
      std::find_if(servers_.begin(), servers_.end(), [](const auto& each) { return each->is_available(); });
  ask(std::move(call), std::move(*request), there == servers_.end() ? primary() : **there);
}

void StatsApi::ask(ApiCall call, StatsRequest request, Postgres& database) {
  database.send(std::make_unique<Query>(*this, std::move(call), std::move(request), &database == &primary()),
                deadline_);
}

}  // namespace holdfast::app
