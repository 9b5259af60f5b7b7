#include "lb/admin/server_json.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::lb {
namespace {

/// The sum over the workers.
template <class Pick>
auto sum(const Server& server, Pick pick) {
  decltype(pick(*server.counters().front())) all = 0;
  for (const auto& counters : server.counters()) all += pick(*counters);
  return all;
}

std::uint64_t failures(const Server& server) {
  return sum(server, [](const ServerCounters& counters) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < counters.attempts.size(); ++i) {
      if (is_failure(static_cast<AttemptResult>(i))) all += counters.attempts[i].value();
    }
    return all;
  });
}

}  // namespace

Json server_json(const Server& server, const ServerHealth* health) {
  HistogramSnapshot first_byte;
  for (const auto& counters : server.counters()) first_byte += counters->first_byte.snapshot();
  Json json{
      {"name", server.name()},
      {"address", server.address().text()},
      {"state", state_name(server.state())},
      {"weight", server.weight()},
      {"in_flight", sum(server, [](const ServerCounters& c) { return c.in_flight.value(); })},
      {"requests", sum(server, [](const ServerCounters& c) { return c.requests.value(); })},
      {"failures", failures(server)},
      {"latency_ms",
       {{"p50", first_byte.quantile(0.5) * 1e3},
        {"p90", first_byte.quantile(0.9) * 1e3},
        {"p99", first_byte.quantile(0.99) * 1e3}}},
  };
  if (health == nullptr) return json;
  json["since"] = rfc3339(health->since());
  json["reason"] = health->reason();
  json["last_probe"] = health->last_probe();
  Json history = Json::array();
  for (const Transition& one : health->history().entries()) {
    history.push_back({{"time", rfc3339(one.at)},
                       {"from", state_name(one.from)},
                       {"to", state_name(one.to)},
                       {"reason", one.reason}});
  }
  json["history"] = std::move(history);
  return json;
}

Json explain_json(const ServerPool& pool, const Server& server, const ServerHealth& health) {
  const ServerFacts& facts = health.facts();
  const State state = server.state();
  std::string rule;
  std::string change;
  switch (state) {
    case State::Down:
      rule = facts.admin == Admin::Down ? "the operator disabled it" : "its name has no such address";
      change = facts.admin == Admin::Down ? "POST …/enable" : "DNS";
      break;
    case State::Draining:
      if (facts.admin == Admin::Draining) {
        rule = "the operator drains it";
        change = "POST …/enable";
      } else if (facts.resolution == Resolution::Left) {
        rule = "its name no longer has this address";
        change = "DNS";
      } else {
        rule = "its responses say so (Lb-Drain: 1)";
        change = "its next passing probe";
      }
      break;
    case State::Ejected:
      rule = "clients suffered: " + health.reason();
      change = facts.is_probed ? "a passing probe, or the end of the ejection" : "the end of the ejection";
      break;
    case State::Unhealthy:
      rule = fmt::format("{} of {} probes in a row failed", health.prober()->verdict().in_a_row(),
                         pool.settings().health.fails);
      change = fmt::format("{} passing in a row", pool.settings().health.passes);
      break;
    case State::Healthy:
      rule = facts.is_probed ? "probes pass, and clients do not suffer" : "it is not probed, and clients do not suffer";
      change =
          fmt::format("a refused connection, {} other failures of clients within {} ms{}",
                      pool.settings().passive.max_fails, pool.settings().passive.fail_window.count(),
                      facts.is_probed ? fmt::format(", or {} failing probes in a row", pool.settings().health.fails)
                                      : std::string());
      break;
    case State::Unknown:
      rule = "no probe has given a verdict yet; it is used only where no server is healthy";
      change = "its first verdict";
      break;
  }
  const bool has_primary = std::any_of(pool.servers().begin(), pool.servers().end(), [](const auto& one) {
    return !one->is_backup() && one->state() == State::Healthy;
  });
  const bool has_healthy = std::any_of(pool.servers().begin(), pool.servers().end(),
                                       [](const auto& one) { return one->state() == State::Healthy; });
  const auto takes_part = [&](const Server& one) {
    if (one.is_backup() && has_primary) return false;
    return one.state() == State::Healthy || (one.state() == State::Unknown && !has_healthy);
  };
  double all = 0;
  for (const auto& one : pool.servers()) all += takes_part(*one) ? one->share() : 0;
  Json json{{"server", server.name()},
            {"pool", pool.name()},
            {"state", state_name(state)},
            {"since", rfc3339(health.since())},
            {"rule", rule},
            {"evidence", health.reason()},
            {"changed_by", change},
            {"last_probe", health.last_probe()}};
  if (health.prober() != nullptr) json["next_probe_in_ms"] = health.prober()->next_in().count();
  json["weight"] = server.weight();
  json["weight_percent"] = server.percent();
  json["is_on_trial"] = server.is_on_trial();
  json["is_backup"] = server.is_backup();
  json["in_flight"] = server.in_flight();
  json["max_requests"] = server.max_requests();
  json["policy"] = pool.settings().policy.text();
  json["share"] = takes_part(server) && all > 0 ? server.share() / all : 0.0;
  return json;
}

}  // namespace holdfast::lb
