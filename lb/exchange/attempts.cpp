// An exchange's attempts: which server, when, over which connection, and what follows where one fails.
#include "lb/exchange/exchange.h"

#include <algorithm>

namespace holdfast::lb {
namespace {

/// A server that was sent Expect: 100-continue has so long to say something before the client is told to go on.
constexpr std::chrono::milliseconds kContinueWait{1000};
/// Who waits for the retry budget looks no more often than this.
constexpr std::chrono::milliseconds kBudgetWaitMin{5};

LocalError local_error_of(AttemptResult result) {
  switch (result) {
    case AttemptResult::Refused:
      return LocalError::ConnectionRefused;
    case AttemptResult::ConnectTimeout:
      return LocalError::ConnectionTimeout;
    case AttemptResult::Unreachable:
    case AttemptResult::Shortage:
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

}  // namespace

// --- Which server, and when --------------------------------------------------------------------------------------

/// The pool was reloaded since the last attempt: another one is made by what is in force now.
void Exchange::move_on() {
  shares_.push_back(share_->successor);
  share_ = shares_.back().get();
  tried_.assign(share_->pool->servers().size(), 0);
  is_hedged_ = is_hedged_ && share_->hedges.is_on();
  begin_waiting_anew();
}

Phase Exchange::pick() {
  if (share_->successor != nullptr) move_on();
  bool has_paid = false;
  for (;;) {
    const TimePoint now = context_.loop.now();
    const bool is_over = now >= deadline_;
    if (is_over && attempts_ > 0) return give_up(last_error_);  // a first attempt is made in any case
    const auto left =
        is_over ? std::chrono::milliseconds(0) : std::chrono::ceil<std::chrono::milliseconds>(deadline_ - now);
    if (!is_over && attempts_ == 0 && !has_paused_ && share_->queue.must_wait()) {
      return wait_in_queue(left, Waiting::ForServer);
    }
    const Pick picked = share_->policy.pick({.tried = tried_, .key = key_});
    if (picked.server == nullptr && is_over) return give_up(last_error_);
    if (picked.server == nullptr) return wait_in_queue(left, Waiting::ForServer);
    if (picked.is_repeat && !has_paused_) {
      const double dice = static_cast<double>(context_.dice()) / static_cast<double>(std::minstd_rand::max());
      return wait_in_queue(std::min(retry_pause(++rounds_, dice), left), Waiting::APause);
    }
    if (!has_paid && !pays_for_retry()) {
      share_->counters.retries_delayed.add();
      const auto next = share_->budget.next(share_->counters.in_flight.value());
      return wait_in_queue(std::clamp(next, kBudgetWaitMin, std::max(left, kBudgetWaitMin)), Waiting::APause);
    }
    has_paid = true;
    const Slot slot = picked.server->take_slot();
    if (slot == Slot::None) continue;  // another worker was quicker: that server is full now
    if (picked.is_repeat) {            // a new round: everybody may be tried once more
      std::fill(tried_.begin(), tried_.end(), std::uint8_t{0});
      has_paused_ = false;
    }
    return begin_attempt(picked, slot);
  }
}

/// Takes from the budget what the next attempt costs; false where there is too little.
bool Exchange::pays_for_retry() {
  if (!failure_ || !costs_budget(*failure_)) return true;
  const bool has_paid = share_->budget.take(context_.loop.now(), share_->counters.in_flight.value());
  share_->counters.retry_budget.set(static_cast<std::int64_t>(share_->budget.balance()));
  return has_paid;
}

Phase Exchange::wait_in_queue(std::chrono::milliseconds until, Waiting why) {
  if (!share_->queue.enter(*this, why)) return give_up(LocalError::QueueFull);
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

// --- One attempt ---------------------------------------------------------------------------------------------------

Phase Exchange::begin_attempt(const Pick& picked, Slot slot) {
  tried_[picked.index] = 1;
  if (++attempts_ > 1 && failure_) {
    share_->counters.retries[static_cast<std::size_t>(*failure_)].add();
  }
  const bool was_stale = failure_ == AttemptResult::ClosedIdle || failure_ == AttemptResult::Undelivered;
  failure_.reset();
  is_connected_ = has_head_ = is_response_complete_ = is_hold_over_ = is_upgraded_ = is_hedge_answer_ = false;
  attempt_.begin(*share_, picked.index, slot, attempts_ == 1 && !has_paused_ ? started_ns_ : uv_hrtime(),
                 note_of(*picked.server));
  // Where one kept connection turned out to be closed, the others may be too: the next attempt is made on a new one.
  // What can't be repeated is not risked on a connection that the kernel knows to be closed.
  if (!was_stale && attempt_.take_idle(!request_.is_repeatable())) return send_request();
  if (const auto failed = attempt_.connect(*this)) return after_failure(*failed);
  const std::size_t servers_left = share_->policy.untried_count(tried_) + 1;
  const auto left = std::chrono::milliseconds(deadline_ - context_.loop.now());
  context_.timeouts_connect.arm(timeout_, connect_timeout(context_.timeouts.connect, left, servers_left));
  return Phase::Connecting;
}

AttemptNote* Exchange::note_of(const Server& server) {
  return context_.is_noted ? &notes_.add(server.name()) : nullptr;
}

Phase Exchange::connecting() {
  if (failure_) return after_failure(*failure_);
  if (is_connected_) return send_request();
  return Phase::Connecting;
}

Phase Exchange::send_request() {
  attempt_.send(request_, *this);
  if (!request_.is_complete()) taker_->want_request_body(attempt_.connection().unsent_bytes() <= kUnsentMax);
  arm_waiting();
  plan_hedge();
  return Phase::Waiting;
}

/// The server's time runs while it has all of the request, or something of it that it does not take.
void Exchange::arm_waiting() {
  if (phase_ == Phase::Responding || phase_ == Phase::Holding || phase_ == Phase::Tunnelling) return;
  if (!attempt_.is_under_way()) return;
  if (request_.awaits_continue()) {
    context_.timeouts_wait.arm(timeout_, kContinueWait);
  } else if (request_.is_complete() || attempt_.connection().unsent_bytes() > 0) {
    context_.timeouts_first_byte.arm(timeout_, timeout_first_byte());
  } else {
    timeout_.disarm();
  }
}

std::chrono::milliseconds Exchange::timeout_first_byte() const {
  const auto per_try = share_->settings.retry.per_try;
  return per_try.count() > 0 ? std::min(per_try, context_.timeouts.first_byte) : context_.timeouts.first_byte;
}

// --- A second one beside it ----------------------------------------------------------------------------------------

/// Of a first attempt alone: a hedge is for a server that is slow, and after a failure there is enough load already.
void Exchange::plan_hedge() {
  if (!is_hedged_ || attempts_ != 1) return;
  const auto after = share_->hedges.after(context_.loop.now());
  if (after) hedge_.plan(*after - std::chrono::floor<std::chrono::milliseconds>(attempt_.age()));
}

void Exchange::on_hedge_due() {
  if (phase_ != Phase::Waiting || !request_.is_complete() || !request_.is_body_whole()) return;
  if (share_->queue.must_wait() || !share_->policy.has_untried(tried_)) return;
  if (!share_->hedges.take()) return share_->counters.hedges_withheld.add();
  const Pick picked = share_->policy.pick({.tried = tried_, .key = key_});
  const Slot slot = picked.server != nullptr && !picked.is_repeat ? picked.server->take_slot() : Slot::None;
  if (slot == Slot::None) return;
  tried_[picked.index] = 1;
  share_->counters.hedges.add();
  AttemptNote* const note = note_of(*picked.server);
  if (note != nullptr) note->is_hedge = true;
  hedge_.begin(*share_, picked.index, slot, request_, note);
}

/// The first attempt has begun to answer: its hedge is not needed, and its server was not tried.
void Exchange::end_hedge() {
  if (hedge_.is_under_way()) tried_[hedge_.attempt().index()] = 0;
  hedge_.end(AttemptResult::Outrun);
}

void Exchange::on_hedge_answer(const ResponseHead& head) {
  // It would have taken longer still: left out, the slowest would be missing among those that hedge.after goes by.
  attempt_.counters().first_byte.add(attempt_.age());
  end_attempt(AttemptResult::Outrun);
  attempt_ = hedge_.take(*this);
  is_hedge_answer_ = true;
  on_head(head);
}

/// The first attempt has failed: the other one is what there is.
Phase Exchange::go_on_with_hedge(AttemptResult result) {
  ++attempts_;
  share_->counters.retries[static_cast<std::size_t>(result)].add();
  failure_.reset();
  is_connected_ = hedge_.is_connected();
  attempt_ = hedge_.take(*this);
  is_hedge_answer_ = true;
  const auto left = [this](std::chrono::milliseconds limit) {
    return limit - std::chrono::floor<std::chrono::milliseconds>(attempt_.age());
  };
  if (is_connected_) {
    context_.timeouts_first_byte.arm(timeout_, left(timeout_first_byte()));
    return Phase::Waiting;
  }
  context_.timeouts_connect.arm(timeout_, left(context_.timeouts.connect));
  return Phase::Connecting;
}

// --- Its end -------------------------------------------------------------------------------------------------------

Phase Exchange::after_failure(AttemptResult result) {
  failure_ = result;  // begin_attempt() counts the retry by it
  end_attempt(result);
  if (result != AttemptResult::Status) last_error_ = local_error_of(result);
  if (hedge_.is_under_way()) return go_on_with_hedge(result);
  hedge_.end(AttemptResult::Cancelled);
  if (!may_retry(retry_facts(result))) return give_up(last_error_);
  // An attempt that fails before it leaves Picking goes on there: advance() sees no change, so step on by hand.
  return phase_ == Phase::Picking ? pick() : Phase::Picking;
}

void Exchange::end_attempt(AttemptResult result) {
  timeout_.disarm();
  attempt_.end(context_, result, request_.is_complete());
}

RetryFacts Exchange::retry_facts(AttemptResult result) const {
  return {.result = result,
          .is_repeatable = request_.is_repeatable(),
          .is_body_whole = request_.is_body_whole(),
          .has_response_begun = phase_ == Phase::Responding,
          .has_retry_after = response_.has_retry_after(),
          .has_untried = share_->successor != nullptr ? share_->latest().policy.has_available()
                                                      : share_->policy.has_untried(tried_),
          .is_before_deadline = context_.loop.now() < deadline_};
}

bool Exchange::is_retried_answer() const {
  return request_.is_complete() && is_retried_status(share_->settings.retry.statuses, response_.status()) &&
         may_retry(retry_facts(AttemptResult::Status));
}

}  // namespace holdfast::lb
