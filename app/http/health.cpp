#include "app/http/health.h"

#include "common/json.h"
#include "common/time_text.h"
#include "common/version.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::app {

std::string health_json(const std::vector<const Dependency*>& dependencies, bool is_draining) {
  const bool all_up =
      std::all_of(dependencies.begin(), dependencies.end(), [](const auto* each) { return each->is_up(); });
  nlohmann::ordered_json json;
  json["status"] = is_draining ? "fail" : all_up ? "pass" : "warn";
  json["version"] = kVersion;
  if (is_draining) json["output"] = "draining";
  json["checks"] = nlohmann::ordered_json::object();
  for (const Dependency* each : dependencies) {
    nlohmann::ordered_json check;
    check["status"] = each->is_up() ? "pass" : "fail";
    check["since"] = rfc3339(each->since());
    if (!each->is_up()) check["output"] = each->why();
    json["checks"][each->name()] = check;
  }
  return json_text(json) + "\n";
}

void HealthHandler::handle(Reply reply) const {
  reply.send(context_.is_draining ? 503 : 200, "application/health+json",
             {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
             health_json(dependencies_, context_.is_draining));
}

void HealthHandler::ready(Reply reply) const {
  reply.send(context_.is_draining ? 503 : 200, "text/plain; charset=utf-8",
             {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
             context_.is_draining ? "leaving\n" : "ready\n");
}

}  // namespace holdfast::app
