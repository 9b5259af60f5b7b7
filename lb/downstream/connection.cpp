#include "lb/downstream/connection.h"

#include "common/http/writer.h"
#include "common/memory/release.h"
#include "lb/exchange/local_response.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

/// Of a client that pipelines, no more than this is kept while it waits for an answer; then it is not read from.
constexpr std::size_t kEarlyBytesMax = 64 * 1024;
/// After the last response, the client has so long to close before we do.
constexpr std::chrono::milliseconds kLinger{1000};

Rejection rejection_of(Code code) {
  switch (code) {
    case Code::HeadTooLarge:
    case Code::TargetTooLong:
      return Rejection::HeadTooLarge;
    case Code::Timeout:
      return Rejection::HeadTimeout;
    case Code::Unsupported:
      return Rejection::Unsupported;
    default:
      return Rejection::BadRequest;
  }
}

ParserLimits parser_limits(const LimitSettings& limits) {
  return {.head_bytes = limits.request_head_bytes,
          .target_bytes = limits.request_target_bytes,
          .fields = limits.header_fields};
}

}  // namespace

void DownstreamConnection::serve(DownstreamContext& context, Stream stream) {
  auto* connection = new DownstreamConnection(context, std::move(stream));
  context.connections.push_back(*connection);
  ++context.open;
  context.counters.connections_total.add();
  context.counters.connections.add(1);
  connection->stream_.set_user(connection);
  context.timeouts_head.arm(connection->timeout_, context.timeouts.head);
  connection->stream_.start_reading();
}

DownstreamConnection::DownstreamConnection(DownstreamContext& context, Stream stream)
    : context_(context),
      stream_(std::move(stream)),
      parser_(parser_limits(context.limits), context.scratch, *this),
      timeout_(Timeout::calling<&DownstreamConnection::on_timeout>(this)) {
  const Address peer = stream_.peer();
  address_bytes_ = static_cast<std::uint8_t>(peer.host_into(address_.data(), address_.size()).size());
  is_trusted_ = std::any_of(context.trusted_proxies.begin(), context.trusted_proxies.end(),
                            [&peer](const Network& network) { return network.contains(peer); });
}

DownstreamConnection::~DownstreamConnection() = default;

// --- From the client ---------------------------------------------------------------------------------------------

void DownstreamConnection::on_bytes(std::span<const char> bytes) {
  switch (phase_) {
    case Phase::Closing:
      return;
    case Phase::Busy:
      early_.append(bytes.data(), bytes.size());
      if (early_.size() >= kEarlyBytesMax) stream_.stop_reading();
      return;
    case Phase::Idle:
    case Phase::Reading:
      consume(bytes);
  }
}

void DownstreamConnection::consume(std::span<const char> bytes) {
  is_consuming_ = true;
  while (!bytes.empty() && (phase_ == Phase::Idle || phase_ == Phase::Reading)) {
    const bool has_begun = phase_ == Phase::Idle;
    phase_ = Phase::Reading;
    const auto used = parser_.parse(bytes);
    if (!used) {
      refuse(used.error());
      break;
    }
    bytes = bytes.subspan(*used);
    if (phase_ == Phase::Busy) {
      timeout_.disarm();
    } else if (exchange_ != nullptr) {
      context_.timeouts_stall.arm(timeout_, context_.timeouts.stall);  // the body goes on
    } else if (has_begun) {
      context_.timeouts_head.arm(timeout_, context_.timeouts.head);  // a total: a dribble does not renew it
    }
    if (exchange_ != nullptr) exchange_->advance();
  }
  is_consuming_ = false;
  if (phase_ == Phase::Busy) early_.append(bytes.data(), bytes.size());
}

void DownstreamConnection::on_request_head(const RequestHead& head) {
  keep_alive_ = head.keep_alive;
  is_http10_ = head.version == Version::Http10;
  is_head_request_ = head.method == Method::Head;
  has_response_begun_ = false;
  if (head.expects_continue && head.framing != Framing::None) static_cast<void>(stream_.write(kContinue));
  exchange_ = context_.exchanges.take(context_.exchange);
  const ClientFacts client{.address = {address_.data(), address_bytes_},
                           .is_trusted = is_trusted_,
                           .request_id = context_.exchange.request_ids.next()};
  exchange_->start(head, client, *this, context_.share);
}

void DownstreamConnection::on_request_body(std::string_view bytes) {
  if (exchange_ != nullptr) exchange_->on_request_body(bytes);
}

void DownstreamConnection::on_request_end() {
  if (exchange_ == nullptr) return;  // it was answered early: the connection is closing
  phase_ = Phase::Busy;
  exchange_->on_request_end();
}

void DownstreamConnection::on_end_of_stream() {
  is_client_done_ = true;
  // A half-close is not an abort: who has asked may still read the answer.
  if (phase_ == Phase::Busy) return;
  leave();
}

void DownstreamConnection::on_broken(const Error&) { leave(); }

void DownstreamConnection::on_drained() {
  switch (phase_) {
    case Phase::Idle:
      context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
      break;
    case Phase::Closing:
      if (is_client_done_) return leave();
      context_.timeouts_linger.arm(timeout_, kLinger);
      break;
    case Phase::Busy:
      timeout_.disarm();
      break;
    case Phase::Reading:
      context_.timeouts_stall.arm(timeout_, context_.timeouts.stall);
      break;
  }
  if (exchange_ != nullptr) exchange_->on_client_drained();
}

void DownstreamConnection::on_timeout() {
  if (stream_.unsent_bytes() > 0) {
    // A response that the client does not take; slowly is well, not at all is not.
    if (stream_.unsent_bytes() < unsent_before_) return watch_progress();
    return leave();
  }
  if (phase_ != Phase::Reading) return leave();
  if (exchange_ != nullptr) return exchange_->on_client_stalled();
  refuse({.code = Code::Timeout, .side = Side::Downstream, .why = "the request took too long to arrive"});
}

// --- From the exchange -------------------------------------------------------------------------------------------

Result<void> DownstreamConnection::write_response(std::initializer_list<std::string_view> pieces) {
  has_response_begun_ = true;
  const auto written = stream_.write(pieces);
  if (written && stream_.unsent_bytes() > 0 && (phase_ == Phase::Busy || !timeout_.is_armed())) watch_progress();
  return written;
}

void DownstreamConnection::watch_progress() {
  unsent_before_ = stream_.unsent_bytes();
  context_.timeouts_stall.arm(timeout_, context_.timeouts.stall);
}

void DownstreamConnection::want_request_body(bool is_wanted) {
  if (phase_ != Phase::Reading || is_wanted != is_paused_) return;
  is_paused_ = !is_wanted;
  if (is_wanted) {
    stream_.start_reading();
    context_.timeouts_stall.arm(timeout_, context_.timeouts.stall);
  } else {
    stream_.stop_reading();
    timeout_.disarm();  // it is not the client who does not go on
  }
}

bool DownstreamConnection::is_last_response() const { return !keep_alive_ || is_client_done_ || context_.is_draining; }

void DownstreamConnection::on_exchange_done(Afterwards afterwards) {
  Exchange::give_back_later(std::move(exchange_));  // it is still on the stack
  if (!stream_.is_open() || is_refusing_) return;   // we are leaving
  if (std::exchange(is_paused_, false)) stream_.start_reading();
  switch (afterwards) {
    case Afterwards::Reset:
      stream_.reset();
      return leave();
    case Afterwards::Close:
      return begin_closing();
    case Afterwards::KeepAlive:
      break;
  }
  phase_ = Phase::Idle;
  has_response_begun_ = is_head_request_ = is_http10_ = false;
  if (stream_.unsent_bytes() == 0) context_.timeouts_idle.arm(timeout_, context_.timeouts.idle);
  if (!is_consuming_ && (!early_.empty() || is_client_done_)) {
    context_.loop.defer(this, [](void* self) { static_cast<DownstreamConnection*>(self)->resume(); });
  }
}

// --- Its own ------------------------------------------------------------------------------------------------------

/// Goes on with what came while Busy.
void DownstreamConnection::resume() {
  if (!stream_.is_open() || phase_ != Phase::Idle) return;
  const std::string bytes = std::exchange(early_, {});
  if (!is_client_done_) stream_.start_reading();
  consume(bytes);
  if (is_client_done_ && (phase_ == Phase::Idle || phase_ == Phase::Reading)) leave();
}

void DownstreamConnection::refuse(const Error& error) {
  context_.counters.rejected[static_cast<std::size_t>(rejection_of(error.code))].add();
  keep_alive_ = false;
  is_refusing_ = true;
  if (exchange_ != nullptr) exchange_->on_client_gone();  // its request will never be whole
  if (!has_response_begun_) {
    write_local_response(context_.response, response_to_bad_client(error), context_.exchange.date, is_head_request_,
                         true, is_http10_);
    if (!stream_.write(context_.response)) return leave();
  }
  begin_closing();
}

/// Ends the connection after what has been written. Not at once: a close with unread bytes in the kernel would be a
/// reset, and could take the response with it.
void DownstreamConnection::begin_closing() {
  phase_ = Phase::Closing;
  release(early_);
  if (is_client_done_ && stream_.unsent_bytes() == 0) return leave();
  stream_.finish_writing();
  if (!is_client_done_) stream_.start_reading();
  if (stream_.unsent_bytes() > 0) return watch_progress();
  context_.timeouts_linger.arm(timeout_, kLinger);
}

void DownstreamConnection::close_when_idle() {
  keep_alive_ = false;
  if (phase_ == Phase::Idle) leave();
}

void DownstreamConnection::abandon() { leave(); }

void DownstreamConnection::leave() {
  if (!is_linked()) return;
  unlink();
  --context_.open;
  context_.counters.connections.add(-1);
  stream_.close();
  timeout_.disarm();
  phase_ = Phase::Closing;
  if (exchange_ != nullptr) exchange_->on_client_gone();
  context_.loop.retire(std::unique_ptr<DownstreamConnection>(this));
}

}  // namespace holdfast::lb
