// One attempt at one server: its connection, and how it is counted there and told in the access log.
// Thread: worker.
#pragma once

#include "lb/access_log/entry.h"
#include "lb/exchange/context.h"
#include "lb/exchange/outgoing_request.h"
#include "lb/exchange/pool_share.h"
#include "lb/upstream/connection.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace holdfast::lb {

class Attempt {
 public:
  /// Takes up an attempt at the server with this place in the pool, where a slot was taken. `began_ns`: of uv_hrtime().
  /// `note` may be null.
  void begin(PoolShare& share, std::size_t server, Slot slot, std::uint64_t began_ns, AttemptNote* note);
  /// Takes an idle connection; false where there is none. `must_be_open`: none either that the kernel knows to be
  /// closed.
  bool take_idle(bool must_be_open);
  /// Opens a new one, as UpstreamConnection::connect().
  std::optional<AttemptResult> connect(ResponseReceiver& receiver);
  /// The connection is there: sends what has come of the request. Where it does not go out the connection is broken,
  /// and reading from it will tell how.
  void send(OutgoingRequest& request, ResponseReceiver& receiver);
  /// Notes when connecting was done.
  void note_connected();
  /// The response has begun: counts it, and judges it for the server's health.
  void count_head(const ExchangeContext& context, const ResponseHead& head);
  /// Lets go of the connection, and counts how it went. Nothing where none is under way.
  void end(const ExchangeContext& context, AttemptResult result, bool is_request_complete);

  bool is_under_way() const { return connection_ != nullptr; }
  UpstreamConnection& connection() const { return *connection_; }
  ServerCounters& counters() const { return connection_->endpoint().counters(); }
  Server& server() const { return connection_->endpoint().server(); }
  /// The server's place in the pool.
  std::size_t index() const { return index_; }
  /// Since it began.
  std::chrono::nanoseconds age() const { return std::chrono::nanoseconds(uv_hrtime() - began_ns_); }

 private:
  Endpoint* endpoint_ = nullptr;
  PoolShare* share_ = nullptr;
  std::size_t index_ = 0;
  AttemptNote* note_ = nullptr;
  Slot slot_ = Slot::None;
  std::unique_ptr<UpstreamConnection> connection_;
  std::uint64_t began_ns_ = 0;
};

}  // namespace holdfast::lb
