// A socket to a server: one request out, one response in, again and again.
// Thread: worker.
#pragma once

#include "common/http/parser.h"
#include "common/loop/timeouts.h"
#include "common/memory/list.h"
#include "common/net/stream.h"
#include "lb/pool/server.h"

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace holdfast::lb {

class Endpoint;

/// Who made the request is told what comes back. Views die with the call that gives them.
class ResponseReceiver {
 public:
  virtual void on_connected() = 0;
  virtual void on_interim(const ResponseHead& head) = 0;
  virtual void on_head(const ResponseHead& head) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  /// Trailer fields that may be passed on; on_end() follows.
  virtual void on_trailers(std::span<const Field> trailers) = 0;
  /// The response is whole.
  virtual void on_end() = 0;
  /// The server changes to the protocol that was asked for: what follows comes by on_body(), until on_tunnel_end().
  virtual void on_upgrade(const ResponseHead& head) = 0;
  /// The server sends no more through the tunnel; it may still take what it is sent.
  virtual void on_tunnel_end() = 0;
  /// The server is out of service; what it owes may never come. Nothing else changes by this call.
  virtual void on_server_out() = 0;
  /// No response, or not the whole of one; the connection is of no more use. Instead of on_end(), once.
  virtual void on_failed(AttemptResult result) = 0;
  /// What write() had left over has gone out.
  virtual void on_request_drained() = 0;

 protected:
  ~ResponseReceiver() = default;
};

class UpstreamConnection final : public ListHook<Endpoint>, private StreamUser, private ResponseSink {
 public:
  UpstreamConnection(Loop& loop, Endpoint& endpoint, const ParserLimits& limits, HeadScratch& scratch);
  ~UpstreamConnection();

  /// Connects; on_connected() or on_failed() follows, never from inside this call. Where the failure is known at once
  /// it is returned, and nothing follows.
  std::optional<AttemptResult> connect(ResponseReceiver& receiver);
  /// What has to be known of a request to take its response.
  struct Asked {
    Method method = Method::Get;
    bool upgrade = false;       // to another protocol
    bool looks_first = false;   // a kept connection is given it only if nothing, not even its end, is to be read there
    bool trusts_reset = false;  // it counts as undelivered if the server ended and reset, and acknowledged nothing
  };
  /// Begins a request on an open connection.
  void begin(ResponseReceiver& receiver, const Asked& asked);
  /// What comes of the response is told to `receiver` from now on.
  void hand_over(ResponseReceiver& receiver) { receiver_ = &receiver; }
  /// Sends a part of the request. An error means that the connection broke.
  Result<void> write(std::initializer_list<std::string_view> pieces);
  std::size_t unsent_bytes() const { return stream_.unsent_bytes(); }
  /// The client sends no more through the tunnel: tells the server, after what is unsent.
  void finish_writing() { stream_.finish_writing(); }

  /// Backpressure: reads on, or does not.
  void pause() {
    is_paused_ = true;
    stream_.stop_reading();
  }
  void resume() {
    is_paused_ = false;
    stream_.start_reading();
  }

  /// True after on_end() where the server goes on serving this connection and no byte was left over.
  bool is_reusable() const { return is_reusable_; }
  /// True where the server has sent something or closed since the last response, though nobody was asked to look yet.
  bool is_stale() const { return !stream_.is_quiet(); }
  /// Nobody's any more: what comes now is a reason to leave.
  void rest();
  void close();

  Endpoint& endpoint() { return endpoint_; }

 private:
  friend class Endpoint;

  void on_bytes(std::span<const char> bytes) override;
  void on_end_of_stream() override;
  void on_broken(const Error& error) override;
  void on_connected() override;
  void on_drained() override;
  void on_response_interim(const ResponseHead& head) override;
  void on_response_head(const ResponseHead& head) override;
  void on_response_body(std::string_view bytes) override;
  void on_response_end(std::span<const Field> trailers) override;
  void on_response_upgrade(const ResponseHead& head) override;
  void on_idle_timeout();
  bool is_unasked() const;
  void judge_delivery();
  void await_response();
  void stop_awaiting();
  void fail(AttemptResult result);
  AttemptResult result_of(const Error& error) const;

  Loop& loop_;
  Endpoint& endpoint_;
  Stream stream_;
  ResponseParser parser_;
  Timeout idle_timeout_;
  ResponseReceiver* receiver_ = nullptr;  // null while idle
  std::size_t written_bytes_ = 0;         // of the request under way
  bool is_counted_ = false;               // among the server's connections
  bool is_idle_ = false;                  // in the endpoint's list of these
  bool is_awaited_ = false;               // a response is, and has not begun
  bool trusts_reset_ = false;
  bool is_paused_ = false;
  bool is_connected_ = false;
  bool is_fresh_ = true;    // it has served no request yet
  bool saw_bytes_ = false;  // of the response under way
  bool keep_alive_ = false;
  bool is_complete_ = false;
  bool is_tunnel_ = false;
  bool is_reusable_ = false;
};

}  // namespace holdfast::lb
