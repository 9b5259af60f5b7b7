#include "app/http/reply.h"

#include "common/assert.h"

#include <uv.h>
#include <algorithm>
#include <array>

namespace holdfast::app {
namespace {

constexpr std::string_view kAccept = "Accept";

}  // namespace

Reply::Reply(ReplyContext& context, Route route, const HttpRequest& request, Responder responder)
    : context_(&context), route_(route), began_ns_(uv_hrtime()), request_(&request), responder_(std::move(responder)) {}

void Reply::send(int status, std::string_view content_type, std::initializer_list<Field> fields,
                 std::string_view body) {
  std::array<Field, 8> all{};
  HF_ASSERT(fields.size() < all.size());
  std::size_t count = static_cast<std::size_t>(std::copy(fields.begin(), fields.end(), all.begin()) - all.begin());
  if (context_->is_draining) all[count++] = {.name = "Lb-Drain", .value = "1", .id = FieldId::LbDrain};
  responder_.send({.status = status, .content_type = content_type, .fields = {all.data(), count}, .body = body});
  const auto route = static_cast<std::size_t>(route_);
  context_->counters.responses[route][static_cast<std::size_t>(status)].add();
  context_->counters.duration[route].add(std::chrono::nanoseconds(uv_hrtime() - began_ns_));
}

void Reply::keep(const HttpRequest& request) {
  const Field* id = request.head.find(FieldId::XRequestId);
  const Field* accept = request.head.find(kAccept);
  if (id != nullptr) kept_.request_id = id->value;
  kept_.wants_html = accept != nullptr && accepts_html(accept->value);
  request_ = nullptr;
}

void Reply::problem(const Problem& problem) {
  if (request_ != nullptr) keep(*request_);
  const std::string body =
      kept_.wants_html ? problem_page(problem) : problem_json(problem, context_->problem_base, kept_.request_id);
  const std::string_view type = kept_.wants_html ? "text/html; charset=utf-8" : "application/problem+json";
  const Field no_store{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other};
  if (!problem.allow.empty()) {
    return send(problem.status, type, {no_store, {.name = "Allow", .value = problem.allow, .id = FieldId::Other}},
                body);
  }
  if (problem.retry_after_seconds != 0) {
    const std::string seconds = std::to_string(problem.retry_after_seconds);
    return send(problem.status, type, {no_store, {.name = "Retry-After", .value = seconds, .id = FieldId::RetryAfter}},
                body);
  }
  send(problem.status, type, {no_store}, body);
}

}  // namespace holdfast::app
