#include "lb/admin/api.h"

#include "common/json.h"
#include "common/log.h"
#include "lb/admin/ledger_json.h"
#include "lb/admin/page.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::lb {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::array<std::string_view, 11> kPaths{"/reverse_proxy/upstreams",
                                                  "/",
                                                  "/metrics",
                                                  "/healthz",
                                                  "/readyz",
                                                  "/upstreams",
                                                  "/ledger",
                                                  "/config",
                                                  "/events",
                                                  "/requests",
                                                  "/debug/exchanges"};
/// So many of the requests that have ended are told, unless more are asked for.
constexpr std::size_t kRequestsTold = 100;
constexpr std::size_t kRequestsToldMax = 10'000;

void send_text(Responder& responder, int status, std::string_view text, std::string_view type = kText) {
  const Field no_store{"Cache-Control", "no-store", FieldId::Other};
  responder.send({.status = status, .content_type = type, .fields = {&no_store, 1}, .body = text});
}

}  // namespace

void AdminApi::on_request(const HttpRequest& request, Responder responder) {
  const std::string_view path = request.path;
  const bool is_reading = request.head.method == Method::Get || request.head.method == Method::Head;
  const bool tells_of_clients = path == "/requests" || path == "/debug/exchanges";
  if (!is_reading || tells_of_clients) {
    if (const auto refused = guard_.judge(request)) return send_error(responder, refused->status, refused->why);
  }
  constexpr std::string_view kServers = "/upstreams/";
  if (path.starts_with(kServers))
    return servers_.on_request(request, path.substr(kServers.size()), std::move(responder));
  if (path == "/log-level") return set_log_level(request, responder);
  if (path == "/reload") return reload(request, std::move(responder));
  bool is_known = false;
  for (const std::string_view known : kPaths) is_known = is_known || known == path;
  if (!is_known) {
    return send_text(
        responder, 404,
        "Nothing here. There are: / /metrics /healthz /readyz /upstreams /upstreams/POOL/SERVER "
        "/reverse_proxy/upstreams /ledger /config /events /requests /debug/exchanges; PUT /log-level; POST /reload\n");
  }
  if (!is_reading) {
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
  if (path == "/reverse_proxy/upstreams") return send_text(responder, 200, caddy_json(), kJson);
  if (path == "/ledger") return send_text(responder, 200, pretty_json(ledger_json(*snapshot_)), kJson);
  if (path == "/config") return send_text(responder, 200, control_.config(), "application/yaml");
  if (path == "/events") return watch(request, responder);
  if (path == "/requests") return send_requests(request, std::move(responder));
  if (path == "/") {
    rates_.look(*snapshot_, loop_.now());
    return send_text(responder, 200, status_page(*snapshot_, health_, rates_), "text/html; charset=utf-8");
  }
  // A std::function must be copyable, a Responder is not.
  auto kept = std::make_shared<Responder>(std::move(responder));
  control_.describe_exchanges([kept](const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    send_text(*kept, 200, text);
  });
}

/// Newest first, whichever worker had them.
void AdminApi::send_requests(const HttpRequest& request, Responder responder) {
  bool only_troubled = false;
  std::size_t count_max = kRequestsTold;
  for (std::string_view rest = request.query; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const std::string_view number = one.starts_with("limit=") ? one.substr(6) : std::string_view{};
    const auto read = std::from_chars(number.data(), number.data() + number.size(), count_max);
    const bool is_limit = !number.empty() && read.ec == std::errc() && read.ptr == number.data() + number.size() &&
                          count_max >= 1 && count_max <= kRequestsToldMax;
    only_troubled = only_troubled || one == "troubled=1";
    if (is_limit || one == "troubled=1") continue;
    return send_error(responder, 400, "only troubled=1 and limit=1 to 10000 are known here");
  }
  auto kept = std::make_shared<Responder>(std::move(responder));
  control_.recent_requests(count_max, only_troubled, [kept, count_max](std::vector<RecentRequest> requests) {
    std::sort(requests.begin(), requests.end(), [](const auto& a, const auto& b) { return a.ended > b.ended; });
    if (requests.size() > count_max) requests.resize(count_max);
    std::string text = "{\"requests\": [";
    for (const RecentRequest& one : requests) text.append(text.back() == '[' ? "\n" : ",\n").append(one.json);
    send_text(*kept, 200, text + "\n]}\n", kJson);
  });
}

void AdminApi::reload(const HttpRequest& request, Responder responder) {
  if (request.head.method != Method::Post) return send_error(responder, 405, "only POST here", "POST");
  const bool is_dry = request.query == "dry_run=1";
  if (!request.query.empty() && !is_dry) return send_error(responder, 400, "only dry_run=1 is known here");
  auto kept = std::make_shared<Responder>(std::move(responder));
  const bool has_begun = control_.reload(is_dry, [kept, is_dry](const ReloadOutcome& outcome) {
    Json changes = Json::array();
    for (const ConfigChange& change : outcome.changes) {
      changes.push_back({{"key", change.key}, {"from", change.before}, {"to", change.after}});
    }
    Json answer{{"reloaded", outcome.is_well() && !is_dry}, {"changes", std::move(changes)}};
    if (!outcome.warnings.empty()) answer["warnings"] = outcome.warnings;
    if (!outcome.is_well()) answer["errors"] = outcome.errors;
    send_text(*kept, outcome.is_well() ? 200 : 422, pretty_json(answer), kJson);
  });
  if (!has_begun) send_error(*kept, 503, "lb is starting or ending, or too many reloads wait already");
}

void AdminApi::watch(const HttpRequest& request, Responder& responder) {
  if (request.head.method == Method::Head) return send_text(responder, 200, {}, "text/event-stream");
  if (!events_.add(responder, states_now())) send_error(responder, 503, "too many watch already");
}

/// As if each server had just come into the state that it is in.
std::string AdminApi::states_now() const {
  std::string events;
  for (const auto& one : health_.servers()) {
    if (!one->server().is_known()) continue;
    const Json json{{"time", rfc3339(one->since())},
                    {"level", "info"},
                    {"event", "upstream state"},
                    {"pool", one->pool().name()},
                    {"server", one->server().name()},
                    {"to", state_name(one->server().state())},
                    {"why", one->reason()}};
    events += event_text("upstream state", json_text(json));
  }
  return events;
}

/// As Caddy's admin port has it, with the state beside: its users' scripts go on.
std::string AdminApi::caddy_json() const {
  Json all = Json::array();
  for (const auto& pool : snapshot_->pools) {
    for (const auto& server : pool->servers()) {
      if (!server->is_known()) continue;
      all.push_back({{"address", server->is_resolved() ? server->address().text() : server->authority()},
                     {"num_requests", server->in_flight()},
                     {"fails", server_json(*server, nullptr)["failures"]},
                     {"healthy", server->state() == State::Healthy}});
    }
  }
  return pretty_json(all);
}

void AdminApi::set_log_level(const HttpRequest& request, Responder& responder) {
  if (request.head.method != Method::Put) return send_error(responder, 405, "only PUT here", "PUT");
  const nlohmann::json body = parse_json(request.body);
  const bool is_well = body.is_object() && body.contains("level") && body["level"].is_string() &&
                       log::set_level(body["level"].get<std::string>());
  if (!is_well) return send_error(responder, 400, "send {\"level\": \"debug\", \"info\", \"warn\" or \"error\"}");
  const std::string level = body["level"].get<std::string>();
  log::info("log level", {{"level", level}});
  send_text(responder, 200, pretty_json(Json{{"level", level}}), kJson);
}

std::string AdminApi::upstreams_json() const {
  Json pools = Json::array();
  for (const auto& pool : snapshot_->pools) {
    Json servers = Json::array();
    for (const auto& server : pool->servers()) {
      if (server->is_known()) servers.push_back(server_json(*server, health_.of(*server)));
    }
    Json routes = Json::array();
    for (const RouteSettings& route : snapshot_->settings.routes) {
      if (route.pool == pool->name()) routes.push_back({{"host", route.host}, {"path", route.path}});
    }
    pools.push_back({{"name", pool->name()},
                     {"routes", std::move(routes)},
                     {"policy", pool->settings().policy.text()},
                     {"upstreams", std::move(servers)}});
  }
  return pretty_json(Json{{"pools", std::move(pools)}});
}

}  // namespace holdfast::lb
