#include "lb/exchange/exchange.h"

#include "common/assert.h"
#include "common/http/rules.h"
#include "common/http/writer.h"

#include <utility>

namespace holdfast::lb {
Exchange::Exchange(ExchangeContext& context)
    : context_(context), timeout_(Timeout::calling<&Exchange::on_timeout>(this)), hedge_(context, *this) {}

void Exchange::reset() {
  HF_ASSERT(phase_ == Phase::Done && !attempt_.is_under_way() && !hedge_.is_under_way());
  timeout_.disarm();
  taker_ = nullptr;
  share_ = nullptr;
  shares_.clear();
  response_.clear();
  saved_.clear();
}

void Exchange::give_back_later(std::unique_ptr<Exchange> done) {
  ExchangeContext& context = done->context_;
  context.loop.defer(done.release(), [](void* object) {
    std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(object));
    Pool<Exchange>& unused = *exchange->context_.unused;
    unused.give(std::move(exchange));
  });
}

void Exchange::start(const RequestHead& head, const ClientFacts& client, ResponseTaker& taker,
                     const std::shared_ptr<PoolShare>& its_share, std::optional<LocalError> refusal) {
  PoolShare& share = *its_share;
  phase_ = Phase::Picking;
  since_ = context_.loop.now();
  taker_ = &taker;
  shares_.push_back(its_share);
  share_ = &share;
  request_.start(head, client, share.settings);
  started_ns_ = uv_hrtime();
  deadline_ = since_ + share.settings.retry.deadline;

  tried_.assign(share.pool->servers().size(), 0);
  key_ = share.policy.key(head, client.client);
  attempts_ = rounds_ = 0;
  has_paused_ = false;
  last_error_ = LocalError::DestinationUnavailable;
  status_ = 0;
  reason_ = {};
  notes_.clear();
  if (context_.is_logged) texts_.keep(head, client.client);
  if (context_.is_noted) client_.assign(client.client);
  is_woken_ = is_client_gone_ = is_shut_down_ = has_client_ended_ = false;
  failure_.reset();
  refusal_ = refusal;
  if (!refusal_ && head.has_content_length && head.content_length > context_.request_body_bytes_max) {
    refusal_ = LocalError::RequestTooLarge;
  }
  begin_waiting_anew();
  share.counters.requests.add();
  share.counters.in_flight.add(1);
  share.budget.on_request(since_);
  is_hedged_ = share.hedges.is_on() && share.hedges.takes(head.method) && request_.upgrade().empty();
  if (is_hedged_) share.hedges.on_request();
  if (request_.has_assigned_key()) share.counters.keys_assigned.add();
}

// --- What comes from the client ---------------------------------------------------------------------------------

void Exchange::on_request_body(std::string_view bytes) {
  if (phase_ == Phase::Done) return;
  if (request_.body_bytes() + bytes.size() > context_.request_body_bytes_max) {
    if (!refusal_) refusal_ = LocalError::RequestTooLarge;
    return;
  }
  switch (phase_) {
    case Phase::Picking:
    case Phase::Queued:
    case Phase::Connecting:
      if (!request_.collect(bytes)) taker_->want_request_body(false);
      break;
    case Phase::Waiting:
    case Phase::Holding:
    case Phase::Responding:
      if (attempt_.is_under_way() && !is_response_complete_)
        on_forwarded(request_.forward(attempt_.connection(), bytes));
      break;
    case Phase::Tunnelling:
    case Phase::Done:
      break;
  }
}

void Exchange::on_request_end(std::span<const Field> trailers) {
  request_.complete(trailers);
  if (!attempt_.is_under_way() || phase_ == Phase::Connecting || phase_ == Phase::Done || phase_ == Phase::Picking)
    return;
  if (!is_response_complete_) on_forwarded(request_.forward_end(attempt_.connection()));
  arm_waiting();
}

void Exchange::on_client_gone() {
  is_client_gone_ = true;
  advance();
}

void Exchange::on_shutdown() {
  is_shut_down_ = true;
  advance();
}

void Exchange::on_client_stalled() {
  if (!refusal_) refusal_ = LocalError::RequestTimeout;
  advance();
}

void Exchange::on_client_drained() {
  if (!attempt_.is_under_way()) return;
  if (phase_ == Phase::Responding) {
    attempt_.connection().resume();
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  } else if (phase_ == Phase::Tunnelling && !is_response_complete_) {
    attempt_.connection().resume();
  }
}

void Exchange::on_tunnel_bytes(std::string_view bytes) {
  if (phase_ != Phase::Tunnelling || failure_) return;
  context_.timeouts_tunnel.arm(timeout_, context_.timeouts.tunnel);
  if (!attempt_.connection().write({bytes})) {
    failure_ = AttemptResult::Reset;
    return advance();
  }
  if (attempt_.connection().unsent_bytes() > kUnsentMax) taker_->want_request_body(false);
}

void Exchange::on_tunnel_bytes_end() {
  if (phase_ != Phase::Tunnelling) return;
  has_client_ended_ = true;
  attempt_.connection().finish_writing();
  advance();
}

// --- What comes from the server, the queue and the clock ---------------------------------------------------------

void Exchange::on_connected() {
  is_connected_ = true;
  attempt_.note_connected();
  advance();
}

void Exchange::on_interim(const ResponseHead& head) {
  if (phase_ != Phase::Waiting) return;
  if (head.status == 100) {  // of use to a client that waits for it, and to no other
    if (request_.awaits_continue()) give_continue();
  } else if (!request_.is_http10()) {  // which knows no interim responses
    write_interim_head(local_, head, &share_->settings.response_fields);
    if (!taker_->write_interim(local_)) is_client_gone_ = true;
  }
  advance();
}

void Exchange::on_head(const ResponseHead& head) {
  if (phase_ != Phase::Waiting) return;
  end_hedge();
  attempt_.count_head(context_, head);
  response_.start(head, {.chunked = !request_.is_http10(), .trailers = request_.takes_trailers()},
                  {.date = context_.date, .request_id = request_.id(), .rules = &share_->settings.response_fields},
                  share_->settings.response);
  if (response_.says_draining()) {
    attempt_.counters().said_draining.add();
    context_.tell_failure(context_.teller);
  }
  has_head_ = true;
  advance();
}

void Exchange::on_body(std::string_view bytes) {
  if (phase_ == Phase::Holding) {
    if (!response_.hold(bytes)) is_hold_over_ = true;
  } else if (phase_ == Phase::Responding) {
    send_body_piece(bytes);
  } else if (phase_ == Phase::Tunnelling) {
    context_.timeouts_tunnel.arm(timeout_, context_.timeouts.tunnel);
    if (!taker_->write_response({bytes})) {
      is_client_gone_ = true;
    } else if (taker_->unsent_bytes() > kUnsentMax) {
      attempt_.connection().pause();
    }
  }
  advance();
}

void Exchange::on_end() {
  is_response_complete_ = true;
  advance();
}

void Exchange::on_upgrade(const ResponseHead& head) {
  if (phase_ != Phase::Waiting) return;
  const Field* protocol = head.find(FieldId::Upgrade);
  if (protocol == nullptr || !equals_ignoring_case(protocol->value, request_.upgrade())) {
    failure_ = AttemptResult::BadResponse;  // not what was asked for
  } else {
    write_upgrade_head(local_, head, request_.upgrade(), &share_->settings.response_fields);
    is_upgraded_ = true;
  }
  advance();
}

void Exchange::on_tunnel_end() {
  is_response_complete_ = true;
  taker_->end_tunnel_output();
  advance();
}

void Exchange::on_server_out() {
  const bool is_under_way = phase_ == Phase::Connecting || phase_ == Phase::Waiting || phase_ == Phase::Holding;
  if (!is_under_way || failure_) return;
  const bool may_go_on = share_->latest().policy.has_available() && may_retry(retry_facts(AttemptResult::Rescued));
  if (!may_go_on && !hedge_.is_under_way()) return;
  failure_ = AttemptResult::Rescued;
  advance();
}

void Exchange::on_failed(AttemptResult result) {
  failure_ = result;
  advance();
}

void Exchange::on_request_drained() {
  taker_->want_request_body(true);
  arm_waiting();
  if (phase_ == Phase::Tunnelling) advance();
}

void Exchange::on_wake() {
  is_woken_ = true;
  advance();
}

void Exchange::on_timeout() {
  switch (phase_) {
    case Phase::Queued:
      is_woken_ = true;
      break;
    case Phase::Connecting:
      failure_ = AttemptResult::ConnectTimeout;
      break;
    case Phase::Waiting:
      // A server that knows no expectations says nothing, and waits for the body.
      if (request_.awaits_continue()) return give_continue();
      failure_ = AttemptResult::FirstByteTimeout;
      break;
    case Phase::Holding:
      if (response_.is_chunked()) {
        is_hold_over_ = true;
      } else {
        failure_ = AttemptResult::IdleTimeout;
      }
      break;
    case Phase::Responding:
    case Phase::Tunnelling:
      failure_ = AttemptResult::IdleTimeout;
      break;
    case Phase::Picking:
    case Phase::Done:
      return;
  }
  advance();
}

// --- The phases --------------------------------------------------------------------------------------------------

void Exchange::advance() {
  if (is_advancing_) return;  // a step called something that called back: the loop below sees what it stored
  is_advancing_ = true;
  const Serving serving(this, [](const void* self) { return static_cast<const Exchange*>(self)->line(); });
  while (phase_ != Phase::Done) {
    const Phase next = step();
    if (next == phase_) break;
    HF_ASSERT(is_edge(phase_, next));
    phase_ = next;
    since_ = context_.loop.now();
  }
  is_advancing_ = false;
  if (phase_ != Phase::Done) return;
  share_ = nullptr;
  shares_.clear();
}

Phase Exchange::step() {
  if (is_shut_down_) {
    reason_ = "shutdown";
    return finish(phase_ == Phase::Tunnelling ? Outcome::Tunnelled : Outcome::Cut, Afterwards::Reset);
  }
  if (is_client_gone_) {
    return finish(phase_ == Phase::Tunnelling ? Outcome::Tunnelled : Outcome::ClientGone, Afterwards::Close);
  }
  if (refusal_) {
    if (phase_ == Phase::Responding) {
      reason_ = kLocalErrors[static_cast<std::size_t>(*refusal_)];
      return finish(Outcome::Cut, Afterwards::Reset);
    }
    return give_up(*refusal_);
  }
  switch (phase_) {
    case Phase::Picking:
      return pick();
    case Phase::Queued:
      return queued();
    case Phase::Connecting:
      return connecting();
    case Phase::Waiting:
      return waiting();
    case Phase::Holding:
      return holding();
    case Phase::Responding:
      return responding();
    case Phase::Tunnelling:
      return tunnelling();
    case Phase::Done:
      return Phase::Done;
  }
  return Phase::Done;
}

Phase Exchange::waiting() {
  if (failure_) return after_failure(*failure_);
  if (is_upgraded_) {
    status_ = 101;
    if (!taker_->write_response({local_})) return finish(Outcome::ClientGone, Afterwards::Close);
    context_.timeouts_tunnel.arm(timeout_, context_.timeouts.tunnel);
    taker_->begin_tunnel();
    share_->counters.tunnels.add(1);
    return Phase::Tunnelling;
  }
  if (!has_head_) return Phase::Waiting;
  if (!response_.must_hold()) {
    share_->counters.responses_streamed.add();
    if (!send_response_head(false)) return finish(Outcome::ClientGone, Afterwards::Close);
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
    return Phase::Responding;
  }
  share_->counters.responses_held.add();
  if (response_.is_chunked()) {
    context_.timeouts_wait.arm(timeout_, share_->settings.response.hold);
  } else {
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  }
  return Phase::Holding;
}

Phase Exchange::holding() {
  if (failure_) return after_failure(*failure_);
  if (is_response_complete_) {
    if (is_retried_answer()) {
      saved_.swap(response_);
      return after_failure(AttemptResult::Status);
    }
    if (!send_response_head(true)) return finish(Outcome::ClientGone, Afterwards::Close);
    return finish(Outcome::Answered, afterwards());
  }
  if (!is_hold_over_) return Phase::Holding;
  if (!send_response_head(false)) return finish(Outcome::ClientGone, Afterwards::Close);
  context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  return Phase::Responding;
}

Phase Exchange::responding() {
  if (failure_) {
    reason_ = attempt_result_name(*failure_);
    end_attempt(*failure_);
    return finish(Outcome::Cut, Afterwards::Reset);
  }
  if (!is_response_complete_) return Phase::Responding;
  if (!response_.send_end(*taker_)) return finish(Outcome::ClientGone, Afterwards::Close);
  return finish(Outcome::Answered, response_.ends_by_close() ? Afterwards::Close : afterwards());
}

/// Ends when both sides have ended, or one has broken off.
Phase Exchange::tunnelling() {
  if (failure_) return finish(Outcome::Tunnelled, Afterwards::Reset);
  if (!is_response_complete_ || !has_client_ended_ || attempt_.connection().unsent_bytes() > 0)
    return Phase::Tunnelling;
  return finish(Outcome::Tunnelled, Afterwards::Close);
}

// --- Ends --------------------------------------------------------------------------------------------------------

/// No server's answer is to be had: passes on the best one seen, or answers by itself.
Phase Exchange::give_up(LocalError error) {
  end_attempt(AttemptResult::Cancelled);
  if (saved_.status() != 0 && !refusal_) {
    response_.swap(saved_);
    if (!send_response_head(true)) return finish(Outcome::ClientGone, Afterwards::Close);
    return finish(Outcome::Answered, afterwards());
  }
  const Afterwards after = afterwards();
  const LocalResponse response = response_to(error);
  status_ = response.status;
  reason_ = kLocalErrors[static_cast<std::size_t>(error)];
  share_->counters.local_errors[static_cast<std::size_t>(error)].add();
  write_local_response(local_, response, context_.date,
                       {.request_id = request_.id(),
                        .wants_text = request_.wants_text(),
                        .is_head = request_.method() == Method::Head,
                        .closes = after == Afterwards::Close,
                        .is_http10 = request_.is_http10()});
  if (!taker_->write_response({local_})) return finish(Outcome::ClientGone, Afterwards::Close);
  return finish(Outcome::LocalError, after);
}

Phase Exchange::finish(Outcome outcome, Afterwards after) {
  if (phase_ == Phase::Queued) {
    share_->queue.leave(*this);
    share_->counters.queued.add(-1);
  }
  if (!attempt_.is_under_way()) share_->latest().queue.pass_on(1);  // the end of an attempt passes on by itself
  if (phase_ == Phase::Tunnelling) share_->counters.tunnels.add(-1);
  const bool is_well = outcome == Outcome::Answered || outcome == Outcome::Tunnelled;
  hedge_.end(AttemptResult::Cancelled);
  end_attempt(is_well ? AttemptResult::Ok : AttemptResult::Cancelled);
  outcome_ = outcome;
  ended_ns_ = uv_hrtime();
  PoolCounters& counters = share_->counters;
  counters.in_flight.add(-1);
  counters.outcomes[static_cast<std::size_t>(outcome)].add();
  if (outcome != Outcome::ClientGone && status_ >= 100 && status_ < 600) {
    const auto status = static_cast<std::size_t>(status_);
    counters.responses[status].add();
    counters.duration[status / 100 - 1].add(std::chrono::nanoseconds(ended_ns_ - started_ns_));
  }
  if (outcome == Outcome::Answered && attempts_ > 1) counters.retry_successes.add();
  if (outcome == Outcome::Answered && is_hedge_answer_) counters.hedge_wins.add();
  std::exchange(taker_, nullptr)->on_exchange_done(after);
  return Phase::Done;
}

Afterwards Exchange::afterwards() const {
  // A request of which a part is still to come would be taken for the next one.
  const bool is_misbehaved = refusal_ && refusal_ != LocalError::NoRoute;
  const bool closes = taker_->is_last_response() || !request_.is_complete() || is_misbehaved;
  return closes ? Afterwards::Close : Afterwards::KeepAlive;
}

// --- Helpers -----------------------------------------------------------------------------------------------------

void Exchange::on_forwarded(const Result<void>& sent) {
  // A server that no longer takes the body may still have answered: its response, or its end, is yet to be read.
  if (!sent) return;
  if (attempt_.connection().unsent_bytes() > kUnsentMax) taker_->want_request_body(false);
  if (phase_ == Phase::Waiting) arm_waiting();
}

/// Tells the client to send its body.
void Exchange::give_continue() {
  request_.continue_given();
  if (!taker_->write_interim(kContinue)) is_client_gone_ = true;
  arm_waiting();
}

/// Sends the head, and what is held of the body. False where the client is gone.
bool Exchange::send_response_head(bool is_whole) {
  status_ = response_.status();
  return response_.send_head(*taker_, is_whole, afterwards()).has_value();
}

void Exchange::send_body_piece(std::string_view bytes) {
  if (!response_.send_piece(*taker_, bytes)) {
    is_client_gone_ = true;
  } else if (taker_->unsent_bytes() > kUnsentMax) {
    attempt_.connection().pause();
    timeout_.disarm();  // it is the client who does not go on: its own time-out runs
  } else {
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  }
}

void Exchange::describe(AccessEntry& entry) const {
  entry.request_id = request_.id();
  entry.texts = context_.is_logged ? &texts_ : nullptr;
  entry.attempts = &notes_;
  entry.pool = share_->pool->name();
  entry.status = status_;
  entry.duration = std::chrono::nanoseconds(ended_ns_ - started_ns_);
  entry.outcome = kOutcomes[static_cast<std::size_t>(outcome_)];
  entry.reason = reason_;
}

const RequestTexts& Exchange::texts() {
  if (!context_.is_logged) texts_.keep_written(request_.head(), client_, request_.version());
  return texts_;
}

std::string Exchange::line() const {
  std::string text = "exchange ";
  text += request_.line();
  text += " phase=";
  text += phase_name(phase_);
  text += " since=" + std::to_string((context_.loop.now() - since_).count()) + "ms";
  text += " attempt=" + std::to_string(attempts_);
  if (attempt_.is_under_way()) text += " server=" + attempt_.server().name();
  if (hedge_.is_under_way()) text += " hedge=" + hedge_.attempt().server().name();
  return text;
}

}  // namespace holdfast::lb
