// A client's socket: requests in, responses out, keep-alive, pipelining. One exchange at a time.
//
//   Idle ──▶ Head ──▶ Body ──▶ Busy ──▶ Idle          any ──▶ Closing ──▶ gone
//   ▲  │      └─────────────────▲ └──▶ Tunnel
//   │  └──▶ Sending: it pipelines, and does not take its answers
//   └───────────┘
//
// Two clocks: the phase's own, and, whatever the phase, the one of a response that the client has yet to take.
// Thread: worker. Owned by the context's list from start() until it leaves.
#pragma once

#include "common/http/parser.h"
#include "common/loop/timeouts.h"
#include "common/memory/list.h"
#include "common/net/stream.h"
#include "lb/access_log/access_log.h"
#include "lb/access_log/recent_requests.h"
#include "lb/downstream/admission.h"
#include "lb/downstream/progress.h"
#include "lb/exchange/exchange.h"
#include "lb/metrics.h"
#include "lb/routing/routes.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::lb {

class DownstreamConnection;
struct IdleList;  // the tag of its place among the idle ones

/// What all client connections of a worker share. Built by the worker, outlives them.
struct DownstreamContext {
  Loop& loop;
  TimeoutClass& timeouts_head;
  TimeoutClass& timeouts_idle;
  TimeoutClass& timeouts_stall;
  TimeoutClass& timeouts_linger;
  const LimitSettings& limits;
  const ClientTimeouts& timeouts;
  const std::vector<Network>& trusted_proxies;
  Admission& admission;
  WorkerCounters& counters;
  ExchangeContext& exchange;
  const RouteTable* routes;                        // of the snapshot in force, as the shares are
  std::shared_ptr<PoolShare> unrouted;             // of what no route takes
  std::vector<std::shared_ptr<PoolShare>> shares;  // of each pool, by its place
  AccessLogChannel* access_log;                    // null: none is kept
  RecentRequests recent;
  HeadScratch scratch;
  std::string response;           // of our own, under construction
  Pool<Exchange> exchanges{256};  // unused ones
  List<DownstreamConnection> connections{};
  List<DownstreamConnection, IdleList> idle{};  // longest idle first
  std::size_t open = 0;
  std::size_t turned_away = 0;  // of these, those that were told to come again
  bool is_draining = false;
  bool ends_when_empty = false;  // the loop is to stop when the last connection has left

  /// Does anybody want to know of requests that have ended?
  bool is_told_of() const { return access_log != nullptr || recent.is_on(); }
  /// What a client owes in a window of timeouts.client_stall.
  std::uint64_t due_bytes() const { return lb::due_bytes(limits.client_min_rate_bytes, timeouts.stall); }
};

class DownstreamConnection final : public ListHook<>,
                                   public ListHook<IdleList>,
                                   private StreamUser,
                                   private RequestSink,
                                   private ResponseTaker {
 public:
  /// Takes over an accepted stream, which has entered `context.admission`, and serves it until it ends; it owns itself
  /// through the context's list.
  static void serve(DownstreamContext& context, Stream stream);
  /// Makes room: closes the client that has been without a request for longest, at least a second. False where there
  /// is none such.
  static bool close_longest_idle(DownstreamContext& context);

  DownstreamConnection(DownstreamContext& context, Stream stream);
  ~DownstreamConnection();

  /// Goes away now if no request is under way, else after its response.
  void close_when_idle();
  /// lb ends: closes at once, and cuts off a request under way.
  void abandon();
  const Exchange* exchange() const { return exchange_.get(); }

 private:
  enum class Phase : std::uint8_t {
    Idle,     // between requests; the clock: timeouts.client_idle, or client_head for the first one
    Sending,  // between requests, and the next one waits until the client takes what it was answered; no clock
    Head,     // a request has begun; the clock: client_head, a total
    Body,     // its body is coming in; its exchange is under way; the clock: client_stall, while we read
    Busy,     // the request is whole; its exchange is under way; no clock
    Tunnel,   // another protocol by now: the bytes are the exchange's; no clock
    Closing,  // the last response is written: what the client still sends is thrown away; the clock: lingering
  };
  static bool is_edge(Phase from, Phase to);
  void enter(Phase next);

  void on_bytes(std::span<const char> bytes) override;
  void on_end_of_stream() override;
  void on_broken(const Error& error) override;
  void on_unsent() override { watch_response(); }
  void on_drained() override;
  void on_request_head(const RequestHead& head) override;
  void on_request_body(std::string_view bytes) override;
  void on_request_end(std::span<const Field> trailers) override;
  Result<void> write_response(std::initializer_list<std::string_view> pieces) override;
  Result<void> write_interim(std::string_view head) override { return stream_.write(head); }
  std::size_t unsent_bytes() const override { return stream_.unsent_bytes(); }
  void want_request_body(bool is_wanted) override;
  void begin_tunnel() override;
  void end_tunnel_output() override { stream_.finish_writing(); }
  bool is_last_response() const override;
  void on_exchange_done(Afterwards afterwards) override;
  void on_clock();
  void on_response_clock();

  struct Routed {
    const std::shared_ptr<PoolShare>& share;
    std::optional<LocalError> refusal;
  };
  Routed route(const RequestHead& head) const;
  void consume(std::span<const char> bytes);
  void keep_early(std::span<const char> bytes);
  void watch_body();
  void linger();
  void watch_response();
  void count(ClientTimeout timeout);
  void refuse(const Error& error);
  void turn_away();
  void begin_closing();
  void resume();
  void resume_tunnel();
  // To the access log (access_lines.cpp).
  AccessEntry entry() const;
  void tell_of_exchange() const;
  void tell(AccessEntry& line) const;
  void tell_of_refusal(std::string_view request_id) const;
  void tell_of_half_head() const;
  void leave();

  DownstreamContext& context_;
  Stream stream_;
  RequestParser parser_;
  Timeout clock_;
  Timeout response_clock_;  // armed while something is unsent
  ProgressWindow body_window_;
  ProgressWindow response_window_;
  std::unique_ptr<Exchange> exchange_;
  std::string early_;                      // bytes of the next requests that came while Busy or Sending
  std::uint64_t read_bytes_ = 0;           // and made something of; what the window of a body is measured by
  std::uint64_t request_begin_bytes_ = 0;  // of these, where the request under way began
  std::uint64_t response_bytes_ = 0;       // of the response under way, written
  const Error* refusing_ = nullptr;        // what is wrong with its message, while that is dealt with
  std::size_t requests_ = 0;
  TimePoint since_{};  // of Idle, and of Closing
  ClientKey client_{Address{}};
  std::array<char, 46> address_{};
  std::uint8_t address_bytes_ = 0;
  Phase phase_ = Phase::Idle;
  bool is_trusted_ = false;
  bool is_client_counted_ = false;  // by its address
  bool is_turned_away_ = false;
  bool keep_alive_ = true;
  bool is_http10_ = false;
  bool is_head_request_ = false;
  bool has_response_begun_ = false;
  bool is_client_done_ = false;  // it sends no more
  bool is_consuming_ = false;
  bool has_next_ = false;     // while consuming: bytes of another request are there
  bool is_too_slow_ = false;  // in taking its response
  bool is_paused_ = false;    // by want_request_body()
  bool is_abandoned_ = false;
};

}  // namespace holdfast::lb
