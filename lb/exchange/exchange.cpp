#include "lb/exchange/exchange.h"

#include "common/assert.h"
#include "common/http/rules.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

/// Past this many unsent bytes the other side is not read from until they are gone.
constexpr std::size_t kUnsentMax = 64 * 1024;
/// A buffer that grew beyond this for one request is not kept for the next.
constexpr std::size_t kKeptCapacity = 128 * 1024;

void clear_keeping_little(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptCapacity) buffer.shrink_to_fit();
}

LocalError local_error_of(AttemptResult result) {
  switch (result) {
    case AttemptResult::Refused:
      return LocalError::ConnectionRefused;
    case AttemptResult::ConnectTimeout:
      return LocalError::ConnectionTimeout;
    case AttemptResult::Unreachable:
      return LocalError::DestinationUnavailable;
    case AttemptResult::FirstByteTimeout:
    case AttemptResult::IdleTimeout:
      return LocalError::ResponseTimeout;
    case AttemptResult::BadResponse:
      return LocalError::ResponseInvalid;
    default:
      return LocalError::ConnectionTerminated;
  }
}

bool is_event_stream(const ResponseHead& head) {
  const Field* type = head.find(FieldId::ContentType);
  constexpr std::string_view kType = "text/event-stream";
  return type != nullptr && equals_ignoring_case(type->value.substr(0, kType.size()), kType);
}

bool says(const ResponseHead& head, FieldId id, std::string_view value) {
  const Field* field = head.find(id);
  return field != nullptr && equals_ignoring_case(field->value, value);
}

}  // namespace

Exchange::Exchange(ExchangeContext& context)
    : context_(context), timeout_(Timeout::calling<&Exchange::on_timeout>(this)) {}

void Exchange::reset() {
  HF_ASSERT(phase_ == Phase::Done && connection_ == nullptr);
  timeout_.disarm();
  taker_ = nullptr;
  share_ = nullptr;
  clear_keeping_little(response_head_);
  clear_keeping_little(held_);
  clear_keeping_little(saved_.body);
}

void Exchange::give_back_later(std::unique_ptr<Exchange> done) {
  ExchangeContext& context = done->context_;
  context.loop.defer(done.release(), [](void* object) {
    std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(object));
    Pool<Exchange>& unused = *exchange->context_.unused;
    unused.give(std::move(exchange));
  });
}

void Exchange::start(const RequestHead& head, const ClientFacts& client, ResponseTaker& taker, PoolShare& share) {
  phase_ = Phase::Picking;
  since_ = context_.loop.now();
  taker_ = &taker;
  share_ = &share;
  method_ = head.method;
  version_ = head.version;
  request_framing_ = head.framing;
  is_repeatable_ = is_repeatable(head);
  is_request_complete_ = head.framing == Framing::None;
  request_body_bytes_ = 0;
  write_request_head(request_head_, head, client);
  replay_.reset(share.settings.retry.body_buffer_bytes);
  started_ns_ = uv_hrtime();
  deadline_ = since_ + share.settings.retry.deadline;

  tried_.assign(share.pool->servers().size(), 0);
  attempts_ = rounds_ = 0;
  has_paused_ = false;
  last_error_ = LocalError::DestinationUnavailable;
  saved_.status = 0;
  is_woken_ = is_client_gone_ = false;
  failure_.reset();
  refusal_.reset();
  if (head.has_content_length && head.content_length > context_.request_body_bytes_max) {
    refusal_ = LocalError::RequestTooLarge;
  }
  share.counters.requests.add();
  share.counters.in_flight.add(1);
}

// --- What comes from the client ---------------------------------------------------------------------------------

void Exchange::on_request_body(std::string_view bytes) {
  if (phase_ == Phase::Done) return;
  request_body_bytes_ += bytes.size();
  if (request_body_bytes_ > context_.request_body_bytes_max) {
    if (!refusal_) refusal_ = LocalError::RequestTooLarge;
    return;
  }
  switch (phase_) {
    case Phase::Picking:
    case Phase::Queued:
    case Phase::Connecting:
      replay_.collect(bytes);
      if (replay_.is_full()) taker_->want_request_body(false);
      break;
    case Phase::Waiting:
    case Phase::Holding:
    case Phase::Responding:
      replay_.passed_on(bytes);
      forward_body(bytes, false);
      break;
    case Phase::Done:
      break;
  }
}

void Exchange::on_request_end() {
  is_request_complete_ = true;
  if (connection_ == nullptr || phase_ == Phase::Connecting || phase_ == Phase::Done || phase_ == Phase::Picking)
    return;
  forward_body({}, true);
  arm_waiting();
}

void Exchange::on_client_gone() {
  is_client_gone_ = true;
  advance();
}

void Exchange::on_client_stalled() {
  if (!refusal_) refusal_ = LocalError::RequestTimeout;
  advance();
}

void Exchange::on_client_drained() {
  if (phase_ != Phase::Responding || connection_ == nullptr) return;
  connection_->resume();
  context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
}

// --- What comes from the server, the queue and the clock ---------------------------------------------------------

void Exchange::on_connected() {
  is_connected_ = true;
  advance();
}

void Exchange::on_interim(const ResponseHead& head) {
  // 100 answers an expectation; the client's was answered by us. HTTP/1.0 knows no interim responses.
  if (head.status == 100 || is_client_http10() || phase_ != Phase::Waiting) return;
  write_interim_head(response_head_, head);
  if (!taker_->write_response({response_head_})) is_client_gone_ = true;
  advance();
}

void Exchange::on_head(const ResponseHead& head) {
  if (phase_ != Phase::Waiting) return;
  ServerCounters& counters = connection_->endpoint().counters();
  counters.first_byte.add(std::chrono::nanoseconds(uv_hrtime() - attempt_ns_));
  counters.responses[static_cast<std::size_t>(head.status / 100 - 1)].add();
  if (says(head, FieldId::LbDrain, "1")) {
    counters.said_draining.add();
    context_.tell_failure(context_.teller);
  }
  has_head_ = true;
  status_ = head.status;
  has_retry_after_ = head.find(FieldId::RetryAfter) != nullptr;
  framing_ = {.framing = head.framing,
              .content_length = head.content_length,
              .has_content_length = head.has_content_length && head.status != 204,
              .closes = false,
              .is_http10 = is_client_http10()};
  must_hold_ = must_hold(head);
  held_max_ = share_->settings.response.buffer_bytes;
  held_.clear();
  begin_response_head(response_head_, head);
  advance();
}

void Exchange::on_body(std::string_view bytes) {
  if (phase_ == Phase::Holding) {
    held_ += bytes;
    if (held_.size() > held_max_) is_hold_over_ = true;
  } else if (phase_ == Phase::Responding) {
    send_body_piece(bytes);
  }
  advance();
}

void Exchange::on_end() {
  is_response_complete_ = true;
  advance();
}

void Exchange::on_failed(AttemptResult result) {
  failure_ = result;
  advance();
}

void Exchange::on_request_drained() {
  taker_->want_request_body(true);
  arm_waiting();
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
      failure_ = AttemptResult::FirstByteTimeout;
      break;
    case Phase::Holding:
      if (framing_.framing == Framing::Chunked) {
        is_hold_over_ = true;
      } else {
        failure_ = AttemptResult::IdleTimeout;
      }
      break;
    case Phase::Responding:
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
  if (phase_ == Phase::Done && share_ != nullptr) share_ = nullptr;
}

Phase Exchange::step() {
  if (is_client_gone_) return finish(Outcome::ClientGone, Afterwards::Close);
  if (refusal_) {
    if (phase_ == Phase::Responding) return finish(Outcome::Cut, Afterwards::Reset);
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
    case Phase::Done:
      return Phase::Done;
  }
  return Phase::Done;
}

Phase Exchange::pick() {
  const TimePoint now = context_.loop.now();
  if (now >= deadline_) return give_up(last_error_);
  const Pick picked = share_->policy.pick(tried_);
  if (picked.server == nullptr) return wait_in_queue(std::chrono::ceil<std::chrono::milliseconds>(deadline_ - now));
  if (picked.is_repeat && !has_paused_) {
    const double dice = static_cast<double>(context_.dice()) / static_cast<double>(std::minstd_rand::max());
    return wait_in_queue(std::min(retry_pause(++rounds_, dice), std::chrono::milliseconds(deadline_ - now)));
  }
  if (picked.is_repeat) {  // a new round: everybody may be tried once more
    std::fill(tried_.begin(), tried_.end(), std::uint8_t{0});
    has_paused_ = false;
  }
  return begin_attempt(*picked.server);
}

Phase Exchange::wait_in_queue(std::chrono::milliseconds until) {
  if (!share_->queue.enter(*this)) return give_up(LocalError::QueueFull);
  share_->counters.queued.add(1);
  share_->counters.queued_total.add();
  is_woken_ = false;
  context_.timeouts_wait.arm(timeout_, until);
  return Phase::Queued;
}

Phase Exchange::queued() {
  if (!is_woken_) return Phase::Queued;
  is_woken_ = false;
  has_paused_ = true;
  timeout_.disarm();
  share_->queue.leave(*this);
  share_->counters.queued.add(-1);
  return Phase::Picking;
}

Phase Exchange::begin_attempt(Server& server) {
  tried_[server.index()] = 1;
  if (++attempts_ > 1 && failure_) {
    share_->counters.retries[static_cast<std::size_t>(*failure_)].add();
  }
  const bool was_closed_idle = failure_ == AttemptResult::ClosedIdle;
  failure_.reset();
  is_connected_ = has_head_ = is_response_complete_ = is_hold_over_ = false;
  attempt_ns_ = attempts_ == 1 && !has_paused_ ? started_ns_ : uv_hrtime();
  Endpoint& endpoint = share_->endpoint(server);
  endpoint.counters().in_flight.add(1);
  // Where one kept connection turned out to be closed, the others may be too: the next attempt is made on a new one.
  while (!was_closed_idle && (connection_ = endpoint.take_idle()) != nullptr) {
    // What can't be repeated is not risked on a connection that the kernel knows to be closed.
    if (is_repeatable_ || !connection_->is_stale()) return send_request();
    endpoint.drop(std::move(connection_));
  }
  connection_ = endpoint.make();
  if (const auto failed = connection_->connect(*this)) return after_failure(*failed);
  const auto servers_left = static_cast<std::size_t>(std::count(tried_.begin(), tried_.end(), std::uint8_t{0})) + 1;
  const auto left = std::chrono::milliseconds(deadline_ - context_.loop.now());
  context_.timeouts_connect.arm(timeout_, connect_timeout(context_.timeouts.connect, left, servers_left));
  return Phase::Connecting;
}

Phase Exchange::connecting() {
  if (failure_) return after_failure(*failure_);
  if (is_connected_) return send_request();
  return Phase::Connecting;
}

Phase Exchange::send_request() {
  Endpoint& endpoint = connection_->endpoint();
  endpoint.counters().requests.add();
  connection_->begin(*this, method_);
  const std::string_view body = replay_.bytes();
  Result<void> sent;
  if (request_framing_ == Framing::Chunked) {
    const ChunkHead chunk(body.size());
    const std::string_view last = is_request_complete_ ? kLastChunk : std::string_view{};
    sent = body.empty() ? connection_->write({request_head_, last})
                        : connection_->write({request_head_, chunk.text(), body, "\r\n", last});
  } else {
    sent = connection_->write({request_head_, body});
  }
  if (!sent) return after_failure(AttemptResult::ClosedIdle);
  replay_.sent_all();
  if (!is_request_complete_) taker_->want_request_body(connection_->unsent_bytes() <= kUnsentMax);
  arm_waiting();
  return Phase::Waiting;
}

Phase Exchange::waiting() {
  if (failure_) return after_failure(*failure_);
  if (!has_head_) return Phase::Waiting;
  if (!must_hold_) {
    share_->counters.responses_streamed.add();
    if (!send_response_head(false)) return finish(Outcome::ClientGone, Afterwards::Close);
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
    return Phase::Responding;
  }
  share_->counters.responses_held.add();
  if (framing_.framing == Framing::Chunked) {
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
      saved_.head.swap(response_head_);
      saved_.body.swap(held_);
      saved_.status = status_;
      saved_.framing = framing_;
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
    end_attempt(*failure_);
    return finish(Outcome::Cut, Afterwards::Reset);
  }
  if (!is_response_complete_) return Phase::Responding;
  const bool ends_by_close = framing_.framing == Framing::UntilClose;
  if (framing_.framing == Framing::Chunked && !taker_->write_response({kLastChunk})) {
    return finish(Outcome::ClientGone, Afterwards::Close);
  }
  return finish(Outcome::Answered, ends_by_close ? Afterwards::Close : afterwards());
}

// --- Ends --------------------------------------------------------------------------------------------------------

Phase Exchange::after_failure(AttemptResult result) {
  failure_ = result;  // begin_attempt() counts the retry by it
  end_attempt(result);
  if (result != AttemptResult::Status) last_error_ = local_error_of(result);
  const RetryFacts facts{
      .result = result,
      .is_repeatable = is_repeatable_,
      .is_body_whole = replay_.is_whole(),
      .has_response_begun = phase_ == Phase::Responding,
      .has_retry_after = has_retry_after_,
      .has_untried = share_->policy.has_untried(tried_),
      .is_before_deadline = context_.loop.now() < deadline_,
  };
  if (!may_retry(facts)) return give_up(last_error_);
  // An attempt that fails before it leaves Picking goes on there: advance() sees no change, so step on by hand.
  return phase_ == Phase::Picking ? pick() : Phase::Picking;
}

/// Lets go of the connection and counts how it went.
void Exchange::end_attempt(AttemptResult result) {
  timeout_.disarm();
  if (connection_ == nullptr) return;
  Endpoint& endpoint = connection_->endpoint();
  endpoint.counters().attempts[static_cast<std::size_t>(result)].add();
  endpoint.counters().in_flight.add(-1);
  const bool is_complete = result == AttemptResult::Ok || result == AttemptResult::Status;
  if (is_complete && is_request_complete_ && connection_->is_reusable() && connection_->unsent_bytes() == 0) {
    endpoint.give(std::move(connection_));
  } else {
    endpoint.drop(std::move(connection_));
  }
  if (is_failure(result)) context_.tell_failure(context_.teller);
}

/// No server's answer is to be had: passes on the best one seen, or answers by itself.
Phase Exchange::give_up(LocalError error) {
  end_attempt(AttemptResult::Cancelled);
  const bool has_saved = saved_.status != 0 && !refusal_;
  if (has_saved) {
    response_head_.swap(saved_.head);
    held_.swap(saved_.body);
    status_ = saved_.status;
    framing_ = saved_.framing;
    if (!send_response_head(true)) return finish(Outcome::ClientGone, Afterwards::Close);
    return finish(Outcome::Answered, afterwards());
  }
  const Afterwards after = afterwards();
  const LocalResponse response = response_to(error);
  status_ = response.status;
  share_->counters.local_errors[static_cast<std::size_t>(error)].add();
  write_local_response(response_head_, response, context_.date, method_ == Method::Head, after == Afterwards::Close,
                       is_client_http10());
  if (!taker_->write_response({response_head_})) return finish(Outcome::ClientGone, Afterwards::Close);
  return finish(Outcome::LocalError, after);
}

Phase Exchange::finish(Outcome outcome, Afterwards after) {
  if (phase_ == Phase::Queued) {
    share_->queue.leave(*this);
    share_->counters.queued.add(-1);
  }
  end_attempt(outcome == Outcome::Answered ? AttemptResult::Ok : AttemptResult::Cancelled);
  PoolCounters& counters = share_->counters;
  counters.in_flight.add(-1);
  counters.outcomes[static_cast<std::size_t>(outcome)].add();
  if (outcome != Outcome::ClientGone && status_ >= 100 && status_ < 600) {
    const auto status = static_cast<std::size_t>(status_);
    counters.responses[status].add();
    counters.duration[status / 100 - 1].add(std::chrono::nanoseconds(uv_hrtime() - started_ns_));
  }
  if (outcome == Outcome::Answered && attempts_ > 1) counters.retry_successes.add();
  std::exchange(taker_, nullptr)->on_exchange_done(after);
  return Phase::Done;
}

Afterwards Exchange::afterwards() const {
  // A request of which a part is still to come would be taken for the next one.
  const bool closes = taker_->is_last_response() || !is_request_complete_ || refusal_;
  return closes ? Afterwards::Close : Afterwards::KeepAlive;
}

// --- Helpers -----------------------------------------------------------------------------------------------------

void Exchange::forward_body(std::string_view bytes, bool is_last) {
  if (connection_ == nullptr || is_response_complete_) return;
  Result<void> sent;
  if (request_framing_ == Framing::Chunked) {
    const ChunkHead chunk(bytes.size());
    sent = is_last ? connection_->write({kLastChunk}) : connection_->write({chunk.text(), bytes, "\r\n"});
  } else {
    sent = connection_->write({bytes});
  }
  // A server that no longer takes the body may still have answered: its response, or its end, is yet to be read.
  if (!sent) return;
  if (connection_->unsent_bytes() > kUnsentMax) taker_->want_request_body(false);
  if (phase_ == Phase::Waiting) arm_waiting();
}

/// The server's time runs while it has all of the request, or something of it that it does not take.
void Exchange::arm_waiting() {
  if (phase_ == Phase::Responding || phase_ == Phase::Holding || connection_ == nullptr) return;
  if (is_request_complete_ || connection_->unsent_bytes() > 0) {
    context_.timeouts_first_byte.arm(timeout_, context_.timeouts.first_byte);
  } else {
    timeout_.disarm();
  }
}

bool Exchange::must_hold(const ResponseHead& head) const {
  switch (head.framing) {
    case Framing::None:
      return true;  // it is whole with its head
    case Framing::Length:
      return head.content_length <= share_->settings.response.buffer_bytes &&
             !says(head, FieldId::XAccelBuffering, "no") && !is_event_stream(head);
    case Framing::Chunked:
      return share_->settings.response.buffer_bytes > 0 && !says(head, FieldId::XAccelBuffering, "no") &&
             !is_event_stream(head);
    case Framing::UntilClose:
      return false;  // its end can't be told from a cut
  }
  return false;
}

bool Exchange::is_retried_answer() const {
  return is_retried_status(share_->settings.retry.statuses, status_) &&
         may_retry({.result = AttemptResult::Status,
                    .is_repeatable = is_repeatable_,
                    .is_body_whole = replay_.is_whole() && is_request_complete_,
                    .has_response_begun = false,
                    .has_retry_after = has_retry_after_,
                    .has_untried = share_->policy.has_untried(tried_),
                    .is_before_deadline = context_.loop.now() < deadline_});
}

/// Sends the head, and what is held of the body. False where the client is gone.
bool Exchange::send_response_head(bool is_whole) {
  const bool is_bodiless_response = framing_.framing == Framing::None;
  if (is_whole && !is_bodiless_response) {
    framing_.framing = Framing::Length;
    framing_.content_length = held_.size();
  } else if (framing_.framing == Framing::Chunked || framing_.framing == Framing::UntilClose) {
    framing_.framing = is_client_http10() ? Framing::UntilClose : Framing::Chunked;
  }
  framing_.closes = framing_.framing == Framing::UntilClose || afterwards() == Afterwards::Close;
  finish_response_head(response_head_, framing_);
  if (framing_.framing == Framing::Chunked && !held_.empty()) {
    const ChunkHead chunk(held_.size());
    return taker_->write_response({response_head_, chunk.text(), held_, "\r\n"}).has_value();
  }
  return taker_->write_response({response_head_, held_}).has_value();
}

void Exchange::send_body_piece(std::string_view bytes) {
  Result<void> sent;
  if (framing_.framing == Framing::Chunked) {
    const ChunkHead chunk(bytes.size());
    sent = taker_->write_response({chunk.text(), bytes, "\r\n"});
  } else {
    sent = taker_->write_response({bytes});
  }
  if (!sent) {
    is_client_gone_ = true;
  } else if (taker_->unsent_bytes() > kUnsentMax) {
    connection_->pause();
    timeout_.disarm();  // it is the client who does not go on: its own time-out runs
  } else {
    context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  }
}

std::string Exchange::line() const {
  std::string text = "exchange ";
  text += std::string_view(request_head_).substr(0, request_head_.find(" HTTP/1.1\r\n"));
  text += " phase=";
  text += phase_name(phase_);
  text += " since=" + std::to_string((context_.loop.now() - since_).count()) + "ms";
  text += " attempt=" + std::to_string(attempts_);
  if (connection_ != nullptr) text += " server=" + connection_->endpoint().server().name();
  return text;
}

}  // namespace holdfast::lb
