#include "app/http/admin.h"

#include <array>
#include <utility>

namespace holdfast::app {
namespace {

struct Place {
  std::string_view path;
  Route route;
};
constexpr std::array kPlaces{Place{"/metrics", Route::Metrics}, Place{"/health", Route::Health},
                             Place{"/ready", Route::Ready}};

Route route_of(std::string_view path) {
  for (const Place& place : kPlaces) {
    if (place.path == path) return place.route;
  }
  return Route::Other;
}

}  // namespace

void AdminRouter::on_request(const HttpRequest& request, Responder responder) {
  const Route route = route_of(request.path);
  Reply reply(context_, route, request, std::move(responder));
  const Method method = request.head.method;
  if (route == Route::Other) return reply.problem(problem_of(404, "not-found", "Not found", "See /metrics."));
  if (method == Method::Options) return reply.send(204, {}, {{.name = "Allow", .value = kReading}}, {});
  if (method != Method::Get && method != Method::Head) return reply.problem(method_not_allowed(kReading));
  if (route == Route::Health) return health_.handle(std::move(reply));
  if (route == Route::Ready) return health_.ready(std::move(reply));
  reply.send(200, Registry::kContentType, {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
             metrics_.text());
}

}  // namespace holdfast::app
