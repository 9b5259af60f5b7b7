#include "app/http/routes.h"

#include "app/http/page.h"
#include "app/links/link.h"

#include <array>
#include <utility>

namespace holdfast::app {
namespace {

/// A path that is there as it stands, or one that ends with a code.
struct Path {
  std::string_view text;
  bool has_code;
  Route route;
};

constexpr std::array kPaths{
    Path{"/", false, Route::Page},
    Path{"/health", false, Route::Health},
    Path{"/metrics", false, Route::Metrics},
    Path{"/stats/", true, Route::Statistics},
    Path{"/api/v1/links", false, Route::Create},
    Path{"/api/v1/links/", true, Route::Delete},
};

}  // namespace

Match match(std::string_view path, std::string& storage) {
  Match found;
  std::string_view code;
  for (const Path& each : kPaths) {
    if (!each.has_code && path == each.text) return {.route = each.route, .code = {}};
    if (each.has_code && path.size() > each.text.size() && path.starts_with(each.text)) {
      found.route = each.route;
      code = path.substr(each.text.size());
    }
  }
  if (code.empty() && path.size() > 1 && path.front() == '/') {
    found.route = Route::Redirect;
    code = path.substr(1);
  }
  if (code.find('%') != std::string_view::npos) {
    storage = percent_decoded(code).value_or("");
    code = storage;
  }
  if (code.empty() || code.find('/') != std::string_view::npos) return {};
  found.code = code;
  return found;
}

std::string_view methods_of(Route route) {
  switch (route) {
    case Route::Redirect:
    case Route::Statistics:
    case Route::Health:
    case Route::Metrics:
    case Route::Page:
      return "GET, HEAD";
    case Route::Create:
      return "POST";
    case Route::Delete:
      return "DELETE";
    case Route::Other:
      return {};
  }
  return {};
}

bool is_allowed(Route route, Method method) {
  switch (route) {
    case Route::Create:
      return method == Method::Post;
    case Route::Delete:
      return method == Method::Delete;
    case Route::Redirect:
    case Route::Statistics:
    case Route::Health:
    case Route::Metrics:
    case Route::Page:
      return method == Method::Get || method == Method::Head;
    case Route::Other:
      return true;
  }
  return true;
}

std::vector<std::string_view> first_segments() {
  std::vector<std::string_view> segments;
  for (const Path& each : kPaths) {
    const std::string_view rest = each.text.substr(1);
    if (!rest.empty()) segments.push_back(rest.substr(0, rest.find('/')));
  }
  return segments;
}

void Router::on_request(const HttpRequest& request, Responder responder) {
  const Match found = match(request.path, decoded_);
  Reply reply(context_, found.route, request, std::move(responder));
  if (!is_allowed(found.route, request.head.method)) {
    return reply.problem({.status = 405,
                          .slug = "method-not-allowed",
                          .title = "Method not allowed",
                          .detail = "This path takes " + std::string(methods_of(found.route)) + ".",
                          .errors = {},
                          .retry_after_seconds = 0,
                          .allow = methods_of(found.route)});
  }
  switch (found.route) {
    case Route::Redirect:
      if (!is_code(found.code) || is_reserved(found.code)) return reply.problem(not_found());
      return handlers_.redirect.handle(request, std::move(reply), found.code);
    case Route::Create:
      return handlers_.links.create(request, std::move(reply));
    case Route::Delete:
      return handlers_.links.remove(request, std::move(reply), found.code);
    case Route::Statistics:
      return handlers_.stats.handle(request, std::move(reply), found.code);
    case Route::Health:
      return handlers_.health.handle(std::move(reply));
    case Route::Metrics:
      return reply.send(200, Registry::kContentType,
                        {{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other}},
                        handlers_.metrics.text());
    case Route::Page:
      return reply.send(200, "text/html; charset=utf-8",
                        {{.name = "Cache-Control", .value = "max-age=60", .id = FieldId::Other}}, kPage);
    case Route::Other:
      return reply.problem(not_found());
  }
}

}  // namespace holdfast::app
