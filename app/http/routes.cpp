#include "app/http/routes.h"

#include "app/http/assets.h"
#include "app/http/cors.h"
#include "app/links/link.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::string_view kCode = "{code}";

/// Of answers that are no pages: nothing in them is ever to be run or framed.
constexpr std::string_view kApiPolicy = "default-src 'none'; frame-ancestors 'none'";

// The first that fits is taken: what a browser loads, then what is ours, then the links.
constexpr std::array kOtherPaths{
    Path{"/ready", Route::Ready, kReading},
    Path{"/health", Route::Health, kReading},
    Path{"/metrics", Route::Metrics, kReading},
    Path{"/stats/{code}", Route::Statistics, kReading},
    Path{"/api/v1/links", Route::Links, "GET, HEAD, POST, OPTIONS"},
    Path{"/api/v1/links/bulk", Route::Bulk, "POST, OPTIONS"},
    Path{"/api/v1/links/{code}", Route::Link, "GET, HEAD, PATCH, DELETE, OPTIONS"},
    Path{"/api/v1/links/{code}/stats", Route::Statistics, kReading},
    Path{"/{code}/qr", Route::Qr, kReading},
    Path{"/{code}", Route::Redirect, kReading},
};
constexpr auto kPaths = [] {
  std::array<Path, std::size(kWebFiles) + kOtherPaths.size()> all{};
  std::size_t count = 0;
  for (const WebFile& file : kWebFiles) all[count++] = {file.path, Route::Page, kReading};
  for (const Path& path : kOtherPaths) all[count++] = path;
  return all;
}();

/// The code in `path`, where it fits a pattern.
bool fits(std::string_view pattern, std::string_view path, std::string_view& code) {
  const auto at = pattern.find(kCode);
  if (at == std::string_view::npos) return path == pattern;
  const std::string_view before = pattern.substr(0, at);
  const std::string_view after = pattern.substr(at + kCode.size());
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return false;
  code = path.substr(before.size(), path.size() - before.size() - after.size());
  return code.find('/') == std::string_view::npos;
}

/// What passes the gate.
bool is_api(Route route) {
  return route == Route::Links || route == Route::Bulk || route == Route::Link || route == Route::Statistics;
}

std::string value_of(const HttpRequest& request, std::string_view name) {
  const Field* field = request.head.find(name);
  return field == nullptr ? std::string() : std::string(field->value);
}

}  // namespace

std::span<const Path> all_paths() { return kPaths; }

Match match(std::string_view path, std::string& storage) {
  for (const Path& each : kPaths) {
    std::string_view code;
    if (!fits(each.text, path, code)) continue;
    if (code.find('%') != std::string_view::npos) {
      storage = percent_decoded(code).value_or("");
      code = storage;
      if (code.empty() || code.find('/') != std::string_view::npos) return {};
    }
    return {.route = each.route, .path = &each, .code = code};
  }
  return {};
}

bool is_allowed(const Path& path, Method method) {
  const std::string_view name = method_name(method);
  for (auto at = path.methods.find(name); !name.empty() && at != std::string_view::npos;) {
    const auto end = at + name.size();
    if ((at == 0 || path.methods[at - 1] == ' ') && (end == path.methods.size() || path.methods[end] == ','))
      return true;
    at = path.methods.find(name, end);
  }
  return false;
}

std::vector<std::string_view> first_segments() {
  std::vector<std::string_view> segments;
  for (const Path& each : kPaths) {
    const std::string_view first = each.text.substr(1, each.text.find('/', 1) - 1);
    if (!first.empty() && first != kCode) segments.push_back(first);
  }
  return segments;
}

void Router::on_request(const HttpRequest& request, Responder responder) {
  const Match found = match(request.path, decoded_);
  Reply reply(context_, found.route, request, std::move(responder));
  if (found.path == nullptr) {
    if (request.head.method != Method::Options || request.path != "*") return reply.problem(not_found());
    return reply.send(204, {}, {{.name = "Allow", .value = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"}}, {});
  }
  if (is_api(found.route)) add_cors(reply, request.head, found.path->methods, gate_.cors_origins());
  if (!is_allowed(*found.path, request.head.method)) return reply.problem(method_not_allowed(found.path->methods));
  if (request.head.method == Method::Options) {
    return reply.send(204, {}, {{.name = "Allow", .value = found.path->methods}}, {});
  }
  switch (found.route) {
    case Route::Redirect:
      if (!is_code(found.code) || is_reserved(found.code)) return reply.problem(not_found());
      return handlers_.redirect.handle(request, std::move(reply), found.code);
    case Route::Links:
    case Route::Bulk:
    case Route::Link:
    case Route::Statistics:
      if (!found.code.empty() && !is_code(found.code)) return reply.problem(not_found());
      return call(request, std::move(reply), found);
    case Route::Health:
      return handlers_.health.handle(std::move(reply));
    case Route::Metrics:
      if (!shows_metrics(request)) return reply.problem(not_found());
      return reply.send(200, Registry::kContentType, {kNoStore}, handlers_.metrics.text());
    case Route::Ready:
      return handlers_.health.ready(std::move(reply));
    case Route::Page:
      return handlers_.web.file(request, std::move(reply));
    case Route::Qr:
      if (!is_code(found.code) || is_reserved(found.code)) return reply.problem(not_found());
      return handlers_.web.qr(request, std::move(reply), found.code);
    case Route::Other:
      return reply.problem(not_found());
  }
}

/// Where there is an admin port, there alone; else to whoever asks on this machine, and not by way of a load balancer,
/// which would say so.
bool Router::shows_metrics(const HttpRequest& request) const {
  return !context_.has_admin_port && request.client.is_loopback() &&
         request.head.find(FieldId::XForwardedFor) == nullptr;
}

/// A call that is being counted. One too many hears that, whatever else is wrong with it.
class Router::Charged final : public RateUser {
 public:
  Charged(Router& router, ApiCall call, std::optional<Problem> wrong)
      : router_(router), call_(std::move(call)), wrong_(std::move(wrong)) {}

  void on_rate(const RateVerdict& verdict) override {
    Reply& reply = call_.reply;
    if (verdict.limit != 0) {
      reply.add("RateLimit-Limit", std::to_string(verdict.limit));
      reply.add("RateLimit-Remaining", std::to_string(verdict.remaining));
      reply.add("RateLimit-Reset", std::to_string(verdict.reset_seconds));
    }
    if (!verdict.is_allowed) {
      return reply.problem(problem_of(429, "rate-limited", "Too many requests", "Slow down, and try again.",
                                      static_cast<int>(verdict.retry_seconds)));
    }
    if (wrong_) return reply.problem(*wrong_);
    router_.dispatch(std::move(call_));
  }

 private:
  Router& router_;
  ApiCall call_;
  std::optional<Problem> wrong_;
};

/// Takes along what the call needs; its way goes on once it is counted.
void Router::call(const HttpRequest& request, Reply reply, const Match& found) {
  Caller caller;
  std::optional<std::string> key;
  auto wrong = gate_.identify(request, caller);
  if (!wrong) wrong = Gate::wrong_with(caller, request.head.method);
  if (!wrong && request.body.size() > context_.request_body_bytes) {
    wrong = problem_of(413, "content-too-large", "Content too large",
                       "The body is larger than " + std::to_string(context_.request_body_bytes) + " bytes.");
  }
  if (const Field* field = request.head.find(FieldId::IdempotencyKey)) {
    key = parse_idempotency_key(field->value);
    if (!key && !wrong) {
      wrong = problem_of(400, "invalid-idempotency-key", "Invalid Idempotency-Key",
                         "An Idempotency-Key has 1 to 255 visible characters of ASCII.");
    }
  }
  reply.add("X-Content-Type-Options", "nosniff");
  reply.add("Content-Security-Policy", std::string(kApiPolicy));
  reply.keep(request);
  ApiCall call{.reply = std::move(reply),
               .route = found.route,
               .method = request.head.method,
               .code = std::string(found.code),
               .query = std::string(request.query),
               .body = wrong ? std::string() : std::string(request.body),
               .host = std::string(request.head.host),
               .content_type = value_of(request, "Content-Type"),
               .accept = value_of(request, "Accept"),
               .idempotency_key = std::move(key),
               .if_match = value_of(request, "If-Match"),
               .if_none_match = value_of(request, "If-None-Match"),
               .caller = caller};
  gate_.charge(caller, std::make_unique<Charged>(*this, std::move(call), std::move(wrong)));
}

void Router::dispatch(ApiCall call) {
  switch (call.route) {
    case Route::Links:
      return call.method == Method::Post ? handlers_.links.create(std::move(call))
                                         : handlers_.links.list(std::move(call));
    case Route::Bulk:
      return handlers_.links.create_many(std::move(call));
    case Route::Link:
      if (call.method == Method::Patch) return handlers_.links.change(std::move(call));
      if (call.method == Method::Delete) return handlers_.links.remove(std::move(call));
      return handlers_.links.read(std::move(call));
    case Route::Statistics:
      return handlers_.stats.handle(std::move(call));
    case Route::Redirect:
    case Route::Qr:
    case Route::Health:
    case Route::Ready:
    case Route::Metrics:
    case Route::Page:
    case Route::Other:
      return call.reply.problem(not_found());
  }
}

}  // namespace holdfast::app
