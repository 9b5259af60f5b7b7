#include "app/http/stats_api.h"

#include "app/links/link.h"

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

class StatsApi::Query final : public PgQuery {
 public:
  Query(StatsApi& stats, ApiCall call, bool is_primary)
      : PgQuery(Statement::LinkStatistics), stats_(stats), call_(std::move(call)), is_primary_(is_primary) {
    add(call_.code);
  }
  void on_answer(const PgAnswer& answer) override { stats_.on_answer(std::move(call_), is_primary_, answer); }

 private:
  StatsApi& stats_;
  ApiCall call_;
  bool is_primary_;
};

void StatsApi::handle(ApiCall call) { ask(std::move(call), replicas_.is_available() ? replicas_.server() : primary_); }

void StatsApi::ask(ApiCall call, Postgres& database) {
  database.send(std::make_unique<Query>(*this, std::move(call), &database == &primary_), deadline_);
}

void StatsApi::on_answer(ApiCall call, bool is_primary, const PgAnswer& answer) {
  if (!is_primary && (!answer.is_ok() || answer.rows() == 0)) return ask(std::move(call), primary_);
  Reply& reply = call.reply;
  if (!answer.is_ok()) return reply.problem(unavailable("Statistics cannot be read at the moment. Try again.", 5));
  if (answer.rows() == 0) return reply.problem(not_found());
  if (answer.is_true(0, 0)) return reply.problem(link_deleted());
  if (const std::string owner = call.caller.owner(); !owner.empty() && answer.text(0, 4) != owner) {
    return reply.problem(foreign_link());
  }
  nlohmann::ordered_json json;
  json["shortCode"] = call.code;
  json["dateCreated"] = answer.text(0, 1);
  json["visitsSummary"] = {{"total", number_of(answer.text(0, 2))}};
  json["lastVisit"] =
      answer.is_null(0, 3) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(answer.text(0, 3));
  reply.send(200, "application/json", {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
             json.dump() + "\n");
}

}  // namespace holdfast::app
