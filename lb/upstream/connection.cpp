#include "lb/upstream/connection.h"

#include "lb/upstream/endpoint.h"

#include <sys/socket.h>
#include <cerrno>
#include <utility>

namespace holdfast::lb {

UpstreamConnection::UpstreamConnection(Loop& loop, Endpoint& endpoint, const ParserLimits& limits, HeadScratch& scratch)
    : loop_(loop),
      endpoint_(endpoint),
      parser_(limits, scratch, *this),
      idle_timeout_(Timeout::calling<&UpstreamConnection::on_idle_timeout>(this)) {}

UpstreamConnection::~UpstreamConnection() { close(); }

AttemptResult UpstreamConnection::result_of(const Error& error) const {
  switch (error.code) {
    case Code::Refused:
      return AttemptResult::Refused;
    case Code::Timeout:
      return AttemptResult::ConnectTimeout;
    case Code::Unreachable:
      return AttemptResult::Unreachable;
    default:
      // A kept connection may be closed at any time (RFC 9112 §9.5): that is no failure of the server.
      return is_fresh_ || saw_bytes_ ? AttemptResult::Reset : AttemptResult::ClosedIdle;
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

void UpstreamConnection::begin(ResponseReceiver& receiver, Method method) {
  receiver_ = &receiver;
  saw_bytes_ = is_complete_ = is_reusable_ = false;
  parser_.expect_answer_to(method);
}

Result<void> UpstreamConnection::write(std::initializer_list<std::string_view> pieces) { return stream_.write(pieces); }

bool UpstreamConnection::is_stale() const {
  char byte;
  const ssize_t got = ::recv(stream_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void UpstreamConnection::rest() {
  receiver_ = nullptr;
  is_fresh_ = false;
  stream_.start_reading();  // so that the server's closing is seen when it happens
}

void UpstreamConnection::close() {
  receiver_ = nullptr;
  if (!std::exchange(is_counted_, false)) return;
  stream_.close();
  idle_timeout_.disarm();
  endpoint_.on_closed(*this);
}

void UpstreamConnection::on_connected() {
  stream_.start_reading();
  receiver_->on_connected();
}

void UpstreamConnection::on_bytes(std::span<const char> bytes) {
  if (receiver_ == nullptr) return endpoint_.discard(*this);  // nobody asked
  saw_bytes_ = true;
  const auto used = parser_.parse(bytes);
  if (receiver_ == nullptr || !stream_.is_open()) return;  // its user let go meanwhile
  if (!used) return fail(AttemptResult::BadResponse);
  if (!is_complete_) return;
  is_reusable_ = keep_alive_ && *used == bytes.size();  // a byte left over would reach another client
  std::exchange(receiver_, nullptr)->on_end();
}

// In one read there may be more than its user wants to hear: who let go in one of these is not called in the next.
void UpstreamConnection::on_response_interim(const ResponseHead& head) {
  if (receiver_ != nullptr) receiver_->on_interim(head);
}

void UpstreamConnection::on_response_head(const ResponseHead& head) {
  keep_alive_ = head.keep_alive;
  if (receiver_ != nullptr) receiver_->on_head(head);
}

void UpstreamConnection::on_response_body(std::string_view bytes) {
  if (receiver_ != nullptr) receiver_->on_body(bytes);
}

void UpstreamConnection::on_end_of_stream() {
  if (receiver_ == nullptr) return endpoint_.discard(*this);
  if (parser_.finish()) {
    std::exchange(receiver_, nullptr)->on_end();
    return;
  }
  fail(is_fresh_ || saw_bytes_ ? AttemptResult::Closed : AttemptResult::ClosedIdle);
}

void UpstreamConnection::on_broken(const Error& error) {
  if (receiver_ == nullptr) return endpoint_.discard(*this);
  fail(result_of(error));
}

void UpstreamConnection::on_drained() {
  if (receiver_ != nullptr) receiver_->on_request_drained();
}

void UpstreamConnection::on_idle_timeout() { endpoint_.discard(*this); }

void UpstreamConnection::fail(AttemptResult result) { std::exchange(receiver_, nullptr)->on_failed(result); }

}  // namespace holdfast::lb
