#include "lb/health/idempotency_probe.h"

#include "common/http/writer.h"

#include <fmt/format.h>
#include <random>
#include <utility>

namespace holdfast::lb {

std::optional<std::string> judge_idempotency(const KeyedAnswer& first, const KeyedAnswer& second) {
  if (first.status < 200 || first.status > 299) {
    return fmt::format("the probe was answered {}: so nothing was executed that could be repeated", first.status);
  }
  if (first.status != second.status) {
    return fmt::format("the same request with the same Idempotency-Key was answered {}, then {}", first.status,
                       second.status);
  }
  if (first.body != second.body) {
    return fmt::format("the same request with the same Idempotency-Key was answered {} twice, with different bodies",
                       first.status);
  }
  return std::nullopt;
}

IdempotencyProbe::IdempotencyProbe(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, const ServerPool& pool,
                                   Done done)
    : pool_(pool),
      settings_(pool.settings().retry.idempotency_probe),
      done_(std::move(done)),
      call_(loop, timeouts, scratch, *this) {
  std::random_device dice;
  key_ = fmt::format("lb-probe-{:08x}{:08x}", dice(), dice());
}

void IdempotencyProbe::start() {
  for (const State wanted : {State::Healthy, State::Unknown}) {
    for (const auto& server : pool_.servers()) {
      if (server->state() == wanted) servers_.push_back(server.get());
    }
  }
  if (servers_.empty()) return done_({.objection = {}, .unanswered = "no server may get requests"});
  ask(*servers_.front());
}

void IdempotencyProbe::ask(const Server& server) {
  ++asked_;
  std::string request;
  HeadWriter writer(request);
  writer.request_line("POST", settings_.uri);
  writer.field("Host",
               settings_.fields.host().empty() ? std::string_view(server.authority()) : settings_.fields.host());
  writer.field("User-Agent", "lb-health");
  if (!settings_.fields.drops("Content-Type")) writer.field("Content-Type", "application/json");
  writer.append(settings_.fields.lines());
  writer.field("Idempotency-Key", key_);
  writer.field("Content-Length", settings_.body.size());
  writer.field("Connection", "close");
  writer.end();
  request += settings_.body;
  call_.start(server.address(), Method::Post, request, settings_.timeout);
}

void IdempotencyProbe::on_answer(const Result<HttpAnswer>& answer) {
  if (!answer) {
    return done_({.objection = {}, .unanswered = std::string(answer.error().why)});
  }
  KeyedAnswer one{.status = answer->status, .body = std::string(answer->body)};
  if (first_) return done_({.objection = judge_idempotency(*first_, one), .unanswered = {}});
  first_ = std::move(one);
  ask(*servers_[asked_ % servers_.size()]);
}

}  // namespace holdfast::lb
