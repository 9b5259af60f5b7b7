#include "lb/admin/api.h"

#include "lb/admin/page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::lb {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::array<std::string_view, 7> kPaths{"/",          "/metrics", "/healthz",        "/readyz",
                                                 "/upstreams", "/config",  "/debug/exchanges"};

void send_text(Responder& responder, int status, std::string_view text, std::string_view type = kText) {
  const Field no_store{"Cache-Control", "no-store", FieldId::Other};
  responder.send({.status = status, .content_type = type, .fields = {&no_store, 1}, .body = text});
}

std::string rfc3339(std::chrono::system_clock::time_point at) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
}

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

}  // namespace

void AdminApi::on_request(const HttpRequest& request, Responder responder) {
  const std::string_view path = request.path;
  bool is_known = false;
  for (const std::string_view known : kPaths) is_known = is_known || known == path;
  if (!is_known) {
    return send_text(responder, 404,
                     "Nothing here. There are: / /metrics /healthz /readyz /upstreams /config /debug/exchanges\n");
  }
  if (request.head.method != Method::Get && request.head.method != Method::Head) {
    const Field allow{"Allow", "GET, HEAD", FieldId::Other};
    return responder.send(
        {.status = 405, .content_type = kText, .fields = {&allow, 1}, .body = "Only GET and HEAD.\n"});
  }
  if (path == "/healthz") return send_text(responder, 200, "ok\n");
  if (path == "/readyz") {
    if (control_.is_draining()) return send_text(responder, 503, "draining\n");
    return control_.is_ready() ? send_text(responder, 200, "ready\n") : send_text(responder, 503, "starting\n");
  }
  if (path == "/metrics") return send_text(responder, 200, registry_.text(), Registry::kContentType);
  if (path == "/upstreams") return send_text(responder, 200, upstreams_json(), kJson);
  if (path == "/config") return send_text(responder, 200, control_.config(), "application/yaml");
  if (path == "/") {
    return send_text(responder, 200, status_page(snapshot_, health_), "text/html; charset=utf-8");
  }
  // A std::function must be copyable, a Responder is not.
  auto kept = std::make_shared<Responder>(std::move(responder));
  control_.describe_exchanges([kept](std::string text) { send_text(*kept, 200, text); });
}

std::string AdminApi::upstreams_json() const {
  Json pools = Json::array();
  for (const auto& pool : snapshot_.pools) {
    Json servers = Json::array();
    for (const auto& server : pool->servers()) servers.push_back(server_json(*server, health_.of(*server)));
    Json routes = Json::array();
    for (const RouteSettings& route : snapshot_.settings.routes) {
      if (route.pool == pool->name()) routes.push_back({{"host", route.host}, {"path", route.path}});
    }
    pools.push_back({{"name", pool->name()},
                     {"routes", std::move(routes)},
                     {"policy", pool->settings().policy.text()},
                     {"upstreams", std::move(servers)}});
  }
  return Json{{"pools", std::move(pools)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace holdfast::lb
