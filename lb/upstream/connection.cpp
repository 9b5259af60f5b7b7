#include "lb/upstream/connection.h"

#include "lb/upstream/endpoint.h"

#include <utility>

namespace holdfast::lb {
namespace {

/// A server that has closed answers what still comes with a reset, within a round trip.
constexpr std::chrono::milliseconds kResetWait{5};

}  // namespace

UpstreamConnection::UpstreamConnection(Loop& loop, Endpoint& endpoint, const ParserLimits& limits, HeadScratch& scratch)
    : loop_(loop),
      endpoint_(endpoint),
      parser_(limits, scratch, *this),
      idle_timeout_(Timeout::calling<&UpstreamConnection::on_idle_timeout>(this)) {}

UpstreamConnection::~UpstreamConnection() { close(); }

AttemptResult UpstreamConnection::result_of(const Error& error) const {
  // A kept connection may be closed at any time (RFC 9112 §9.5): that is no failure of the server.
  const auto broken = is_fresh_ || saw_bytes_ ? AttemptResult::Reset : AttemptResult::ClosedIdle;
  // Of an open connection no error proves that its server has read nothing, whatever the kernel calls it.
  if (is_connected_) return broken;
  switch (error.code) {
    case Code::Refused:
      return AttemptResult::Refused;
    case Code::Timeout:
      return AttemptResult::ConnectTimeout;
    case Code::Unreachable:
      return AttemptResult::Unreachable;
    case Code::Shortage:
      return AttemptResult::Shortage;
    default:
      return broken;
  }
}

std::optional<AttemptResult> UpstreamConnection::connect(ResponseReceiver& receiver) {
  receiver_ = &receiver;
  endpoint_.counters().connections_opened.add();
  auto begun = Stream::connect(loop_, endpoint_.server().address(), this);
  if (!begun) return result_of(begun.error());
  stream_ = std::move(*begun);
  is_counted_ = true;
  endpoint_.counters().connections_active.add(1);
  return std::nullopt;
}

void UpstreamConnection::begin(ResponseReceiver& receiver, const Asked& asked) {
  receiver_ = &receiver;
  saw_bytes_ = is_complete_ = is_reusable_ = false;
  written_bytes_ = 0;
  trusts_reset_ = asked.trusts_reset;
  if (asked.looks_first && !is_fresh_) stream_.look_before_writing();
  await_response();
  parser_.expect_answer_to(asked.method, asked.upgrade);
}

void UpstreamConnection::await_response() {
  ServerCounters& counters = endpoint_.counters();
  if (counters.awaited.value() == 0) counters.awaited_since_ms.set(loop_.now().time_since_epoch().count());
  counters.awaited.add(1);
  is_awaited_ = true;
}

void UpstreamConnection::stop_awaiting() {
  if (std::exchange(is_awaited_, false)) endpoint_.counters().awaited.add(-1);
}

Result<void> UpstreamConnection::write(std::initializer_list<std::string_view> pieces) {
  for (const std::string_view piece : pieces) written_bytes_ += piece.size();
  return stream_.write(pieces);
}

void UpstreamConnection::rest() {
  receiver_ = nullptr;
  is_fresh_ = false;
  resume();  // so that the server's closing is seen when it happens
}

void UpstreamConnection::close() {
  receiver_ = nullptr;
  stop_awaiting();
  if (!std::exchange(is_counted_, false)) return;
  stream_.close();
  idle_timeout_.disarm();
  endpoint_.on_closed(*this);
}

void UpstreamConnection::on_connected() {
  is_connected_ = true;
  stream_.start_reading();
  receiver_->on_connected();
}

void UpstreamConnection::on_bytes(std::span<const char> bytes) {
  if (receiver_ == nullptr) return endpoint_.discard(*this);  // nobody asked
  endpoint_.counters().heard_ms.set(loop_.now().time_since_epoch().count());
  if (is_tunnel_) return receiver_->on_body({bytes.data(), bytes.size()});
  if (is_unasked()) return judge_delivery();  // these bytes are no response to it
  saw_bytes_ = true;
  const auto used = parser_.parse(bytes);
  if (receiver_ == nullptr || !stream_.is_open()) return;  // its user let go meanwhile
  if (!used) return fail(AttemptResult::BadResponse);
  const auto rest = bytes.subspan(*used);
  if (is_tunnel_ && !rest.empty()) return receiver_->on_body({rest.data(), rest.size()});
  if (!is_complete_) return;
  is_reusable_ = keep_alive_ && rest.empty();  // a byte left over would reach another client
  std::exchange(receiver_, nullptr)->on_end();
}

// In one read there may be more than its user wants to hear: who let go in one of these is not called in the next.
void UpstreamConnection::on_response_interim(const ResponseHead& head) {
  if (receiver_ != nullptr) receiver_->on_interim(head);
}

void UpstreamConnection::on_response_head(const ResponseHead& head) {
  stop_awaiting();
  keep_alive_ = head.keep_alive;
  if (receiver_ != nullptr) receiver_->on_head(head);
}

void UpstreamConnection::on_response_body(std::string_view bytes) {
  if (receiver_ != nullptr) receiver_->on_body(bytes);
}

void UpstreamConnection::on_response_end(std::span<const Field> trailers) {
  is_complete_ = true;
  if (receiver_ != nullptr && !trailers.empty()) receiver_->on_trailers(trailers);
}

void UpstreamConnection::on_response_upgrade(const ResponseHead& head) {
  stop_awaiting();
  is_tunnel_ = true;
  if (receiver_ != nullptr) receiver_->on_upgrade(head);
}

void UpstreamConnection::on_end_of_stream() {
  if (receiver_ == nullptr) return endpoint_.discard(*this);
  if (is_tunnel_) return receiver_->on_tunnel_end();
  if (parser_.finish()) return std::exchange(receiver_, nullptr)->on_end();
  if (is_fresh_ || saw_bytes_) return fail(AttemptResult::Closed);
  if (!trusts_reset_ || stream_.delivery(written_bytes_) != Delivery::Pending) return judge_delivery();
  endpoint_.timeouts_idle_.arm(idle_timeout_, kResetWait);
}

/// True if the connection was kept and no byte of the request under way has left.
bool UpstreamConnection::is_unasked() const {
  return !is_fresh_ && !saw_bytes_ && stream_.withheld_bytes() == written_bytes_;
}

/// A kept connection has ended without a response, or is of no more use.
void UpstreamConnection::judge_delivery() {
  stream_.give_up_writing();  // before the verdict, so that it stays true
  const Delivery delivery = stream_.delivery(written_bytes_);
  const bool is_undelivered = delivery == Delivery::Withheld || (trusts_reset_ && delivery == Delivery::Rejected);
  fail(is_undelivered ? AttemptResult::Undelivered : AttemptResult::ClosedIdle);
}

void UpstreamConnection::on_broken(const Error& error) {
  if (receiver_ == nullptr) return endpoint_.discard(*this);
  if (is_paused_) return;  // what the server sent before is still to be read
  const AttemptResult result = result_of(error);
  if (result == AttemptResult::ClosedIdle) return judge_delivery();
  fail(result);
}

void UpstreamConnection::on_drained() {
  if (receiver_ != nullptr) receiver_->on_request_drained();
}

void UpstreamConnection::on_idle_timeout() {
  if (receiver_ != nullptr) return judge_delivery();
  endpoint_.discard(*this);
}

void UpstreamConnection::fail(AttemptResult result) { std::exchange(receiver_, nullptr)->on_failed(result); }

}  // namespace holdfast::lb
