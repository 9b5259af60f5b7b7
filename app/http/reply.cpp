#include "app/http/reply.h"

#include "common/assert.h"
#include "common/log.h"

#include <uv.h>
#include <algorithm>
#include <array>

namespace holdfast::app {
namespace {

constexpr std::string_view kAccept = "Accept";
constexpr std::size_t kFieldsAtOnce = 24;

}  // namespace

Reply::Reply(ReplyContext& context, Route route, const HttpRequest& request, Responder responder)
    : context_(&context), route_(route), began_ns_(uv_hrtime()), request_(&request), responder_(std::move(responder)) {}

void Reply::send(int status, std::string_view content_type, std::initializer_list<Field> fields,
                 std::string_view body) {
  if (added_.empty() && !context_->is_draining) {  // a redirect, mostly
    responder_.send(
        {.status = status, .content_type = content_type, .fields = {fields.begin(), fields.size()}, .body = body});
  } else {
    send_all(status, content_type, fields, body);
  }
  const auto route = static_cast<std::size_t>(route_);
  context_->counters.responses[route][static_cast<std::size_t>(status)].add();
  context_->counters.duration[route].add(std::chrono::nanoseconds(uv_hrtime() - began_ns_));
  if (context_->logs_requests) log(status);
}

void Reply::send_all(int status, std::string_view content_type, std::initializer_list<Field> fields,
                     std::string_view body) {
  std::array<Field, kFieldsAtOnce> all{};
  HF_ASSERT(fields.size() + added_.size() < all.size());
  std::size_t count = static_cast<std::size_t>(std::copy(fields.begin(), fields.end(), all.begin()) - all.begin());
  for (const auto& [name, value] : added_) all[count++] = {.name = name, .value = value, .id = FieldId::Other};
  if (context_->is_draining) all[count++] = {.name = "Lb-Drain", .value = "1", .id = FieldId::LbDrain};
  responder_.send({.status = status, .content_type = content_type, .fields = {all.data(), count}, .body = body});
}

bool Reply::has(std::string_view name) const {
  return std::any_of(added_.begin(), added_.end(), [&](const auto& each) { return each.first == name; });
}

void Reply::log(int status) const {
  std::string_view id = kept_.request_id;
  std::string_view method = kept_.method;
  std::string_view path = kept_.path;
  if (request_ != nullptr) {
    const Field* field = request_->head.find(FieldId::XRequestId);
    id = field == nullptr ? std::string_view{} : field->value;
    method = request_->head.method_text;
    path = request_->path;
  }
  log::info("request", {{"method", method},
                        {"path", path},
                        {"route", kRouteNames[static_cast<std::size_t>(route_)]},
                        {"status", status},
                        {"microseconds", (uv_hrtime() - began_ns_) / 1000},
                        {"request_id", id}});
}

void Reply::keep(const HttpRequest& request) {
  const Field* id = request.head.find(FieldId::XRequestId);
  const Field* accept = request.head.find(kAccept);
  if (id != nullptr) kept_.request_id = id->value;
  kept_.wants_html = accept != nullptr && accepts_html(accept->value);
  if (context_->logs_requests) {
    kept_.method = request.head.method_text;
    kept_.path = request.path;
  }
  request_ = nullptr;
}

void Reply::problem(const Problem& problem) {
  if (request_ != nullptr) keep(*request_);
  const std::string body =
      kept_.wants_html ? problem_page(problem) : problem_json(problem, context_->problem_base, kept_.request_id);
  const std::string_view type = kept_.wants_html ? "text/html; charset=utf-8" : "application/problem+json";
  if (!problem.allow.empty()) add("Allow", std::string(problem.allow));
  if (!problem.challenge.empty()) add("WWW-Authenticate", std::string(problem.challenge));
  if (problem.retry_after_seconds != 0) add("Retry-After", std::to_string(problem.retry_after_seconds));
  if (!has("X-Content-Type-Options")) add("X-Content-Type-Options", "nosniff");
  if (kept_.wants_html && !has("Content-Security-Policy"))
    add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  send(problem.status, type, {kNoStore}, body);
}

}  // namespace holdfast::app
