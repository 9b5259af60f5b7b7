// Path to handler.
// Thread: the loop's; match() any.
#pragma once

#include "app/http/health.h"
#include "app/http/links_api.h"
#include "app/http/redirect.h"
#include "app/http/reply.h"
#include "app/http/stats_api.h"
#include "app/metrics.h"
#include "common/http/server.h"
#include "common/metrics/registry.h"

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// Where a path leads; `code` is percent-decoded and may be anything but empty.
struct Match {
  Route route = Route::Other;
  std::string_view code;
};

/// The route of `path`; `storage` keeps a code that had to be decoded.
Match match(std::string_view path, std::string& storage);

/// The methods of a route as an Allow field names them; empty where there is no such route.
std::string_view methods_of(Route route);
bool is_allowed(Route route, Method method);

/// The first segments of all paths of ours: no link may have one of them as its code.
std::vector<std::string_view> first_segments();

struct Handlers {
  RedirectHandler& redirect;
  LinksApi& links;
  StatsApi& stats;
  HealthHandler& health;
  Registry& metrics;
};

class Router final : public HttpHandler {
 public:
  Router(ReplyContext& context, Handlers handlers) : context_(context), handlers_(handlers) {}
  void on_request(const HttpRequest& request, Responder responder) override;

 private:
  ReplyContext& context_;
  Handlers handlers_;
  std::string decoded_;
};

}  // namespace holdfast::app
