#include "lb/exchange/hedge.h"

#include "lb/exchange/retry.h"

#include <utility>

namespace holdfast::lb {

void Hedge::begin(PoolShare& share, std::size_t server, Slot slot, OutgoingRequest& request, AttemptNote* note) {
  share_ = &share;
  request_ = &request;
  attempt_.begin(share, server, slot, uv_hrtime(), note);
  is_connected_ = attempt_.take_idle(true);
  if (is_connected_) return attempt_.send(request, *this);
  if (const auto failed = attempt_.connect(*this)) return end(*failed);
  context_.timeouts_connect.arm(timeout_, context_.timeouts.connect);
}

Attempt Hedge::take(ResponseReceiver& receiver) {
  timeout_.disarm();
  attempt_.connection().hand_over(receiver);
  return std::move(attempt_);
}

void Hedge::end(AttemptResult result) {
  timeout_.disarm();
  attempt_.end(context_, result, true);
}

void Hedge::on_connected() {
  timeout_.disarm();
  is_connected_ = true;
  attempt_.note_connected();
  attempt_.send(*request_, *this);
}

void Hedge::on_head(const ResponseHead& head) {
  if (head.status < 500 && !is_retried_status(share_->settings.retry.statuses, head.status)) {
    return user_.on_hedge_answer(head);
  }
  attempt_.count_head(context_, head);
  end(AttemptResult::Status);
}

void Hedge::on_timeout() {
  if (!is_under_way()) return user_.on_hedge_due();
  end(AttemptResult::ConnectTimeout);
}

}  // namespace holdfast::lb
