// One request and its response, over as many attempts as it takes. Drives the phases of lb/exchange/phase.h.
// Callbacks store what came and call advance(); step functions decide; nothing recurses.
// Thread: worker. Owned by the client's connection; used again through a Pool.
#pragma once

#include "common/loop/timeouts.h"
#include "lb/access_log/entry.h"
#include "lb/exchange/attempt.h"
#include "lb/exchange/context.h"
#include "lb/exchange/hedge.h"
#include "lb/exchange/incoming_response.h"
#include "lb/exchange/local_response.h"
#include "lb/exchange/outgoing_request.h"
#include "lb/exchange/phase.h"
#include "lb/exchange/pool_share.h"
#include "lb/exchange/response_taker.h"
#include "lb/exchange/retry.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

class Exchange final : public Waiter, private ResponseReceiver, private HedgeUser {
 public:
  explicit Exchange(ExchangeContext& context);
  /// As good as new, for the next use. Only when Done.
  void reset();
  /// Puts a finished exchange back among the unused ones, once none of its functions is on the stack.
  static void give_back_later(std::unique_ptr<Exchange> done);

  /// Begins: keeps of the head what every attempt needs; `refusal`: none is to be made. Nothing happens before
  /// advance().
  void start(const RequestHead& head, const ClientFacts& client, ResponseTaker& taker,
             const std::shared_ptr<PoolShare>& share, std::optional<LocalError> refusal);
  void on_request_body(std::string_view bytes);
  void on_request_end(std::span<const Field> trailers);
  /// Goes as far as it can. To be called after what came in one read has been handed over.
  void advance();

  /// The client's connection broke, or its owner gave up on it. Nothing is written to it any more.
  void on_client_gone();
  /// lb ends before this request does. Nothing is written to the client any more.
  void on_shutdown();
  /// The client has taken what was unsent.
  void on_client_drained();
  /// The request's body does not come on: 408 where nothing has been answered yet.
  void on_client_stalled();
  /// False where the client waits for us to say that it may go on.
  bool is_waiting_for_client() const { return !request_.awaits_continue(); }
  /// The client's bytes in a tunnel, and their end.
  void on_tunnel_bytes(std::string_view bytes);
  void on_tunnel_bytes_end();

  bool is_request_complete() const { return request_.is_complete(); }
  std::string_view request_id() const { return request_.id(); }
  /// What is told of it, as far as it is known here: where ExchangeContext::is_noted, once it has ended and until it is
  /// given back. The texts only where ExchangeContext::is_logged; else texts() makes them of what is there.
  void describe(AccessEntry& entry) const;
  const RequestTexts& texts();
  /// `exchange GET /abc phase=Waiting since=12ms attempt=2 server=127.0.0.1:3002`
  std::string line() const;

 private:
  // From the server's side.
  void on_connected() override;
  void on_interim(const ResponseHead& head) override;
  void on_head(const ResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_trailers(std::span<const Field> trailers) override { response_.complete(trailers); }
  void on_end() override;
  void on_upgrade(const ResponseHead& head) override;
  void on_tunnel_end() override;
  void on_server_out() override;
  void on_failed(AttemptResult result) override;
  void on_request_drained() override;
  void on_hedge_due() override;
  void on_hedge_answer(const ResponseHead& head) override;
  // From the queue and the clock.
  void on_wake() override;
  void on_timeout();

  Phase step();
  // The attempts (attempts.cpp): which server and when, one attempt, its end.
  Phase pick();
  void move_on();
  bool pays_for_retry();
  Phase wait_in_queue(std::chrono::milliseconds until, Waiting why);
  Phase queued();
  Phase begin_attempt(const Pick& picked, Slot slot);
  Phase connecting();
  Phase send_request();
  void arm_waiting();
  std::chrono::milliseconds timeout_first_byte() const;
  AttemptNote* note_of(const Server& server);
  void plan_hedge();
  void end_hedge();
  Phase go_on_with_hedge(AttemptResult result);
  Phase after_failure(AttemptResult result);
  void end_attempt(AttemptResult result);
  RetryFacts retry_facts(AttemptResult result) const;
  bool is_retried_answer() const;
  // The response, and the end.
  Phase waiting();
  Phase holding();
  Phase responding();
  Phase tunnelling();
  Phase give_up(LocalError error);
  Phase finish(Outcome outcome, Afterwards afterwards);

  void on_forwarded(const Result<void>& sent);
  bool send_response_head(bool is_whole);
  void send_body_piece(std::string_view bytes);
  void give_continue();
  Afterwards afterwards() const;

  /// Past this many unsent bytes the other side is not read from until they are gone.
  static constexpr std::size_t kUnsentMax = 64 * 1024;

  ExchangeContext& context_;
  Phase phase_ = Phase::Done;
  TimePoint since_{};
  bool is_advancing_ = false;

  // The request.
  ResponseTaker* taker_ = nullptr;
  std::vector<std::shared_ptr<PoolShare>> shares_;  // all that it went by so far: the notes have names of their servers
  PoolShare* share_ = nullptr;                      // the last of these
  OutgoingRequest request_;
  std::uint64_t started_ns_ = 0;
  TimePoint deadline_{};

  // The attempts.
  std::vector<std::uint8_t> tried_;  // by the server's index
  std::uint64_t key_ = 0;            // what policy `hash` goes by
  unsigned attempts_ = 0;
  unsigned rounds_ = 0;  // how often all servers had been tried
  bool has_paused_ = false;
  LocalError last_error_ = LocalError::DestinationUnavailable;
  Attempt attempt_;  // the one whose response is taken
  Timeout timeout_;
  Hedge hedge_;             // planned or under way in phase Waiting alone
  bool is_hedged_ = false;  // it may be, as far as its method goes
  bool is_hedge_answer_ = false;

  IncomingResponse response_;  // of this attempt
  IncomingResponse saved_;     // the last whole answer with a status of retry.statuses, for want of a better one
  std::string local_;          // an answer of our own
  int status_ = 0;             // of what the client was answered

  // For the access log.
  std::string client_;  // its address; where ExchangeContext::is_noted
  RequestTexts texts_;
  AttemptNotes notes_;
  std::uint64_t ended_ns_ = 0;
  Outcome outcome_ = Outcome::ClientGone;
  std::string_view reason_;

  // What came since the last step.
  bool is_connected_ = false;
  bool has_head_ = false;
  bool is_response_complete_ = false;
  bool is_upgraded_ = false;
  bool has_client_ended_ = false;  // its side of the tunnel
  bool is_hold_over_ = false;
  bool is_woken_ = false;
  bool is_client_gone_ = false;
  bool is_shut_down_ = false;
  std::optional<AttemptResult> failure_;
  std::optional<LocalError> refusal_;  // the client's own fault, found while its body came
};

}  // namespace holdfast::lb
