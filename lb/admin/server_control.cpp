#include "lb/admin/server_control.h"

#include "common/json.h"
#include "common/units.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::lb {
namespace {

/// While somebody waits for a drain, the requests in flight are counted this often.
constexpr std::chrono::milliseconds kLook{20};
constexpr std::size_t kWaitsMax = 32;
constexpr std::chrono::milliseconds kWaitMax{600'000};

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void send_error(Responder& responder, int status, const std::string& why, std::string_view allow) {
  const Field fields[]{{"Cache-Control", "no-store", FieldId::Other}, {"Allow", allow, FieldId::Other}};
  const std::string body = pretty_json(Json{{"error", why}});
  responder.send({.status = status,
                  .content_type = "application/json",
                  .fields = {fields, allow.empty() ? 1U : 2U},
                  .body = body});
}

ServerControl::ServerControl(Loop& loop, Timeouts& timeouts, HealthMonitor& health)
    : loop_(loop),
      health_(health),
      timeouts_(timeouts.add_class()),
      next_look_(Timeout::calling<&ServerControl::look_at_drains>(this)) {}

void ServerControl::on_request(const HttpRequest& request, std::string_view rest, Responder responder) {
  const auto slash = rest.find('/');
  const std::string pool = unescaped(rest.substr(0, slash));
  std::string_view behind = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  const auto second = behind.find('/');
  const std::string name = unescaped(behind.substr(0, second));
  const std::string_view action = second == std::string_view::npos ? std::string_view{} : behind.substr(second + 1);
  ServerHealth* server = health_.find(pool, name);
  if (server == nullptr || !server->server().is_known()) {
    return send_error(responder, 404,
                      "no server '" + name + "' in a pool '" + pool + "'; GET /upstreams names them all");
  }
  const bool is_reading = request.head.method == Method::Get || request.head.method == Method::Head;
  if (action.empty() || action == "explain") {
    if (!is_reading) return send_error(responder, 405, "only GET and HEAD here", "GET, HEAD");
    if (action.empty()) return send_server(responder, 200, *server);
    const std::string body = pretty_json(explain_json(server->pool(), server->server(), *server));
    const Field no_store{"Cache-Control", "no-store", FieldId::Other};
    return responder.send({.content_type = "application/json", .fields = {&no_store, 1}, .body = body});
  }
  change(request, *server, action, std::move(responder));
}

void ServerControl::change(const HttpRequest& request, ServerHealth& server, std::string_view action,
                           Responder responder) {
  if (action == "weight") {
    if (request.head.method != Method::Put) return send_error(responder, 405, "only PUT here", "PUT");
    return set_weight(request, server, std::move(responder));
  }
  if (action != "drain" && action != "enable" && action != "disable") {
    return send_error(responder, 404, "a server can be asked to drain, enable, disable, weight or explain");
  }
  if (request.head.method != Method::Post) return send_error(responder, 405, "only POST here", "POST");
  if (action == "drain") return drain(request, server, std::move(responder));
  server.set_admin(action == "enable" ? Admin::Enabled : Admin::Down);
  send_server(responder, 200, server);
}

void ServerControl::set_weight(const HttpRequest& request, ServerHealth& server, Responder responder) {
  const nlohmann::json body = parse_json(request.body);
  const bool is_well = body.is_object() && body.contains("weight") && body["weight"].is_number_unsigned() &&
                       body["weight"] >= 1 && body["weight"] <= 1000;
  if (!is_well) return send_error(responder, 400, "send {\"weight\": 1 to 1000}");
  server.set_weight(body["weight"].get<unsigned>());
  send_server(responder, 200, server);
}

void ServerControl::drain(const HttpRequest& request, ServerHealth& server, Responder responder) {
  std::chrono::milliseconds wait{0};
  if (!request.query.empty()) {
    const auto given = request.query.starts_with("wait=") ? parse_duration(request.query.substr(5)) : std::nullopt;
    if (!given || *given > kWaitMax) return send_error(responder, 400, "only wait= is known here, with up to 10m");
    wait = *given;
  }
  if (wait.count() > 0 && waits_.size() >= kWaitsMax) return send_error(responder, 503, "too many wait already");
  server.set_admin(Admin::Draining);
  if (wait.count() == 0) return send_server(responder, server.server().in_flight() == 0 ? 200 : 202, server);
  waits_.push_back({std::move(responder), server.pool().name(), server.server().name(), loop_.now() + wait});
  look_at_drains();
}

void ServerControl::look_at_drains() {
  std::erase_if(waits_, [this](DrainWait& wait) {
    if (!wait.responder.is_open()) return true;
    const ServerHealth* server = health_.find(wait.pool, wait.server);
    if (server == nullptr) {
      send_error(wait.responder, 409, "the configuration that is in force now does not name it");
      return true;
    }
    const bool is_empty = server->server().in_flight() == 0;
    if (!is_empty && loop_.now() < wait.deadline) return false;
    send_server(wait.responder, is_empty ? 200 : 202, *server);
    return true;
  });
  if (!waits_.empty()) timeouts_.arm(next_look_, kLook);
}

void ServerControl::end() {
  next_look_.disarm();
  for (DrainWait& wait : std::exchange(waits_, {})) send_error(wait.responder, 503, "lb is shutting down");
}

void ServerControl::send_server(Responder& responder, int status, const ServerHealth& server) const {
  const std::string body = pretty_json(server_json(server.server(), &server));
  const Field no_store{"Cache-Control", "no-store", FieldId::Other};
  responder.send({.status = status, .content_type = "application/json", .fields = {&no_store, 1}, .body = body});
}

}  // namespace holdfast::lb
