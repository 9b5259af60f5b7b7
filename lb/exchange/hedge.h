// A second attempt, at another server, while the first one owes its answer: whoever begins to answer first is heard,
// and the other is let go (Dean and Barroso, "The Tail at Scale", CACM 2013). A hedge whose answer is a failure, or
// that gets none, ends by itself: the first attempt goes on. Thread: worker. Part of an exchange.
#pragma once

#include "common/loop/timeouts.h"
#include "lb/exchange/attempt.h"

#include <chrono>

namespace holdfast::lb {

/// Whose hedge it is.
class HedgeUser {
 public:
  /// It is time: begin() now, or never.
  virtual void on_hedge_due() = 0;
  /// It has begun to answer, and well: take() it.
  virtual void on_hedge_answer(const ResponseHead& head) = 0;

 protected:
  ~HedgeUser() = default;
};

class Hedge final : private ResponseReceiver {
 public:
  Hedge(const ExchangeContext& context, HedgeUser& user)
      : context_(context), user_(user), timeout_(Timeout::calling<&Hedge::on_timeout>(this)) {}

  /// on_hedge_due() follows after so long, unless end() comes first.
  void plan(std::chrono::milliseconds after) { context_.timeouts_hedge.arm(timeout_, after); }
  /// Sends `request`, which is complete, to `server`, in a place that was taken there.
  void begin(PoolShare& share, std::size_t server, Slot slot, OutgoingRequest& request, AttemptNote* note);
  bool is_under_way() const { return attempt_.is_under_way(); }
  const Attempt& attempt() const { return attempt_; }
  bool is_connected() const { return is_connected_; }
  /// Hands it over: what comes now is told to `receiver`.
  Attempt take(ResponseReceiver& receiver);
  /// Lets it go, planned or under way.
  void end(AttemptResult result);

 private:
  void on_connected() override;
  void on_interim(const ResponseHead&) override {}  // of use with the final response alone
  void on_head(const ResponseHead& head) override;
  void on_body(std::string_view) override {}
  void on_trailers(std::span<const Field>) override {}
  void on_end() override {}
  void on_upgrade(const ResponseHead&) override { end(AttemptResult::BadResponse); }  // nobody asked for one
  void on_tunnel_end() override {}
  void on_server_out() override { end(AttemptResult::Rescued); }
  void on_failed(AttemptResult result) override { end(result); }
  void on_request_drained() override {}
  void on_timeout();

  const ExchangeContext& context_;
  HedgeUser& user_;
  Timeout timeout_;  // until it is due; then of its connecting
  Attempt attempt_;
  const PoolShare* share_ = nullptr;
  OutgoingRequest* request_ = nullptr;
  bool is_connected_ = false;
};

}  // namespace holdfast::lb
