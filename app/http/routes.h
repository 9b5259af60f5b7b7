// Path to handler. One table of all paths: the router, the Allow fields, the reserved words and the test of the
// OpenAPI document read it.
// Thread: the loop's; match() any.
#pragma once

#include "app/http/api_call.h"
#include "app/http/gate.h"
#include "app/http/health.h"
#include "app/http/links_api.h"
#include "app/http/redirect.h"
#include "app/http/reply.h"
#include "app/http/stats_api.h"
#include "app/http/web.h"
#include "app/metrics.h"
#include "common/http/server.h"
#include "common/metrics/registry.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// A path that is there as it stands, or one with a code in it: `/stats/{code}`.
struct Path {
  std::string_view text;
  Route route = Route::Other;
  std::string_view methods;  // as an Allow field names them; HEAD and OPTIONS are everywhere
};
std::span<const Path> all_paths();

/// Where a path leads; `code` is percent-decoded and may be anything but empty.
struct Match {
  Route route = Route::Other;
  const Path* path = nullptr;
  std::string_view code;
};

/// The route of `path`; `storage` keeps a code that had to be decoded.
Match match(std::string_view path, std::string& storage);

/// May a request of this method be handled there?
bool is_allowed(const Path& path, Method method);

/// The first segments of all paths of ours: no link may have one of them as its code.
std::vector<std::string_view> first_segments();

struct Handlers {
  RedirectHandler& redirect;
  LinksApi& links;
  StatsApi& stats;
  HealthHandler& health;
  Web& web;
  Registry& metrics;
};

class Router final : public HttpHandler {
 public:
  Router(ReplyContext& context, Gate& gate, Handlers handlers) : context_(context), gate_(gate), handlers_(handlers) {}
  void on_request(const HttpRequest& request, Responder responder) override;

 private:
  void call(const HttpRequest& request, Reply reply, const Match& found);
  bool shows_metrics(const HttpRequest& request) const;
  class Charged;
  void dispatch(ApiCall call);

  ReplyContext& context_;
  Gate& gate_;
  Handlers handlers_;
  std::string decoded_;
};

}  // namespace holdfast::app
