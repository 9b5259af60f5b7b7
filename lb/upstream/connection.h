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
  /// The response is whole.
  virtual void on_end() = 0;
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
  /// Begins a request of this method on an open connection.
  void begin(ResponseReceiver& receiver, Method method);
  /// Sends a part of the request. An error means that the connection broke.
  Result<void> write(std::initializer_list<std::string_view> pieces);
  std::size_t unsent_bytes() const { return stream_.unsent_bytes(); }

  /// Backpressure: reads on, or does not.
  void pause() { stream_.stop_reading(); }
  void resume() { stream_.start_reading(); }

  /// True after on_end() where the server goes on serving this connection and no byte was left over.
  bool is_reusable() const { return is_reusable_; }
  /// True where the server has sent something or closed since the last response, though nobody was asked to look yet.
  bool is_stale() const;
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
  void on_response_upgrade(const ResponseHead&) override {}  // not asked for yet
  void on_response_head(const ResponseHead& head) override;
  void on_response_body(std::string_view bytes) override;
  void on_response_end(std::span<const Field>) override { is_complete_ = true; }
  void on_idle_timeout();
  void fail(AttemptResult result);
  AttemptResult result_of(const Error& error) const;

  Loop& loop_;
  Endpoint& endpoint_;
  Stream stream_;
  ResponseParser parser_;
  Timeout idle_timeout_;
  ResponseReceiver* receiver_ = nullptr;  // null while idle
  bool is_counted_ = false;               // among the server's connections
  bool is_fresh_ = true;                  // it has served no request yet
  bool saw_bytes_ = false;                // of the response under way
  bool keep_alive_ = false;
  bool is_complete_ = false;
  bool is_reusable_ = false;
};

}  // namespace holdfast::lb
