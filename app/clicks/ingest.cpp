#include "app/clicks/ingest.h"

#include "app/store/number.h"
#include "common/log.h"

namespace holdfast::app {
namespace {

constexpr const char* kStore =
    "SELECT stored, duplicates FROM ingest_clicks_v1($1::uuid[], $2::bigint[], $3::text[], $4::text[], "
    "$5::smallint[], $6::boolean[], $7::integer[], $8::text[], $9::cidr[], $10::uuid[], $11::bigint[], "
    "$12::bigint[], $13::bigint[], $14::jsonb)";

}  // namespace

bool is_poison(std::string_view sqlstate) { return sqlstate.starts_with("22") || sqlstate.starts_with("23"); }

bool Ingest::is_connected() {
  if (session_) return true;
  auto opened = Session::open(settings_.primary,
                              {.program = settings_.program, .timeout = settings_.timeout, .cancel = settings_.cancel});
  if (!opened) {
    why_ = opened.error();
    return false;
  }
  session_.emplace(std::move(*opened));
  return true;
}

std::optional<Rows> Ingest::run(const char* sql, const std::vector<const char*>& values,
                                std::chrono::milliseconds timeout) {
  if (!is_connected()) return std::nullopt;
  session_->set_timeout(timeout);
  auto rows = session_->run(sql, values);
  if (rows) return std::move(*rows);
  why_ = rows.error();
  // Without a word from the server, or where it says farewell or is another one now, a new connection is needed.
  const std::string& state = session_->sqlstate();
  if (state.empty() || state.starts_with("57") || state.starts_with("08") || state == "25006") session_.reset();
  return std::nullopt;
}

bool Ingest::store(const Batch& batch, IngestCounts& counts) { return store(batch.clicks(), batch.dead(), counts); }

bool Ingest::store(std::span<const BatchClick> clicks, std::span<const DeadClick> dead, IngestCounts& counts) {
  const std::vector<std::string> arguments = ingest_arguments(clicks, dead, settings_.worker);
  std::vector<const char*> values;
  for (const std::string& each : arguments) values.push_back(each.c_str());
  if (const auto rows = run(kStore, values, settings_.timeout)) {
    counts.stored += number_of<std::uint64_t>(rows->text(0, 0));
    counts.duplicates += number_of<std::uint64_t>(rows->text(0, 1));
    counts.dead += dead.size();
    return true;
  }
  const std::string state = session_ ? session_->sqlstate() : std::string();
  if (clicks.empty() || !is_poison(state)) return false;
  if (clicks.size() > 1) {
    const std::size_t half = clicks.size() / 2;
    return store(clicks.first(half), dead, counts) && store(clicks.subspan(half), {}, counts);
  }
  const BatchClick& poison = clicks.front();
  log::warn("a click cannot be stored: it is a dead letter now",
            {{"id", uuid_text(poison.id)}, {"why", why_}, {"sqlstate", state}, {"do", "see docs/clicks.md"}});
  std::vector<DeadClick> all(dead.begin(), dead.end());
  all.push_back({.id = poison.id,
                 .bytes = poison.record,
                 .reason = why_,
                 .sqlstate = state,
                 .source = poison.source,
                 .first = poison.sequence,
                 .last = poison.sequence});
  return store({}, all, counts);
}

}  // namespace holdfast::app
