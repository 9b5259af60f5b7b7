#include "lb/exchange/attempt.h"

#include "lb/health/passive.h"

#include <utility>

namespace holdfast::lb {

void Attempt::begin(PoolShare& share, std::size_t server, Slot slot, std::uint64_t began_ns, AttemptNote* note) {
  share_ = &share;
  index_ = server;
  endpoint_ = share.endpoints[server].get();
  slot_ = slot;
  began_ns_ = began_ns;
  note_ = note;
  endpoint_->counters().in_flight.add(1);
}

bool Attempt::take_idle(bool must_be_open) {
  while ((connection_ = endpoint_->take_idle()) != nullptr) {
    if (!must_be_open || !connection_->is_stale()) return true;
    endpoint_->drop(std::move(connection_));
  }
  return false;
}

std::optional<AttemptResult> Attempt::connect(ResponseReceiver& receiver) {
  connection_ = endpoint_->make();
  return connection_->connect(receiver);
}

void Attempt::send(OutgoingRequest& request, ResponseReceiver& receiver) {
  endpoint_->counters().requests.add();
  const bool is_repeatable = request.is_repeatable();
  connection_->begin(receiver, {.method = request.method(),
                                .upgrade = !request.upgrade().empty(),
                                .looks_first = !is_repeatable,
                                .trusts_reset = !is_repeatable && share_->settings.retry.prove_undelivered});
  static_cast<void>(request.send(*connection_));
}

void Attempt::note_connected() {
  if (note_ != nullptr) note_->connect = age();
}

void Attempt::count_head(const ExchangeContext& context, const ResponseHead& head) {
  ServerCounters& its = endpoint_->counters();
  const auto first_byte = age();
  its.first_byte.add(first_byte);
  if (note_ != nullptr) note_->first_byte = first_byte;
  its.responses[static_cast<std::size_t>(head.status / 100 - 1)].add();
  const BadAnswer judged = judge_answer(share_->settings.passive, head.status, first_byte);
  if (judged == BadAnswer::Status) its.bad_statuses.add();
  if (judged == BadAnswer::Slow) its.slow_responses.add();
  if (judged != BadAnswer::None) context.tell_failure(context.teller);
}

void Attempt::end(const ExchangeContext& context, AttemptResult result, bool is_request_complete) {
  if (connection_ == nullptr) return;
  if (note_ != nullptr) {
    note_->result = result;
    note_->duration = age();
  }
  endpoint_->counters().attempts[static_cast<std::size_t>(result)].add();
  endpoint_->counters().in_flight.add(-1);
  const bool is_complete = result == AttemptResult::Ok || result == AttemptResult::Status;
  if (is_complete && is_request_complete && connection_->is_reusable() && connection_->unsent_bytes() == 0) {
    endpoint_->give(std::move(connection_));
  } else {
    endpoint_->drop(std::move(connection_));
  }
  endpoint_->server().free_slot(slot_);
  share_->latest().queue.pass_on(is_complete ? 2 : 1);
  if (is_failure(result)) context.tell_failure(context.teller);
}

}  // namespace holdfast::lb
