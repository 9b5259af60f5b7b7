#include "lb/downstream/connection.h"

#include "common/assert.h"
#include "common/http/forwarded_client.h"
#include "common/http/writer.h"
#include "common/memory/release.h"
#include "lb/downstream/rejection.h"
#include "lb/exchange/local_response.h"
#include "lb/routing/target.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

/// Of a client that pipelines, no more than this is kept while it waits for an answer; then it is not read from.
constexpr std::size_t kEarlyBytesMax = 64 * 1024;
/// With more than this unsent, a pipelined request waits: its answer would only lie here as well.
constexpr std::size_t kUnsentMax = 64 * 1024;
/// After the last response, the client has so long to close before we do; and so long, in steps of the other, where it
/// still sends a body in earnest: it would not read the response before it has sent all.
constexpr std::chrono::milliseconds kLinger{1000};
constexpr std::chrono::milliseconds kLingerMax{30'000};
constexpr std::uint64_t kLingerBytesDue = 16 * 1024;
/// So long a client has been idle before it may be closed to make room for another.
constexpr std::chrono::milliseconds kIdleBeforeClosed{1000};
/// At most so many are looked at for that in one go: those whose next request is just coming are passed over.
constexpr int kLookedAt = 16;
/// So many clients that have too many connections are told so at a time; the others are closed at once.
constexpr std::size_t kTurnedAwayMax = 64;

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
  connection->stream_.start_reading();
  if (connection->is_turned_away_) return connection->turn_away();
  connection->since_ = context.loop.now();
  context.idle.push_back(*connection);
  context.timeouts_head.arm(connection->clock_, context.timeouts.head);
}

bool DownstreamConnection::close_longest_idle(DownstreamContext& context) {
  DownstreamConnection* one = context.idle.front();
  for (int looked = 0; one != nullptr && looked < kLookedAt; ++looked) {
    if (context.loop.now() - one->since_ < kIdleBeforeClosed) return false;
    if (one->stream_.unsent_bytes() == 0 && !one->stream_.has_input()) {
      context.counters.idle_evicted.add();
      one->leave();
      return true;
    }
    one = context.idle.next(*one);
  }
  return false;
}

DownstreamConnection::DownstreamConnection(DownstreamContext& context, Stream stream)
    : context_(context),
      stream_(std::move(stream)),
      parser_(parser_limits(context.limits), context.scratch, *this),
      clock_(Timeout::calling<&DownstreamConnection::on_clock>(this)),
      response_clock_(Timeout::calling<&DownstreamConnection::on_response_clock>(this)) {
  const Address peer = stream_.peer();
  address_bytes_ = static_cast<std::uint8_t>(peer.host_into(address_.data(), address_.size()).size());
  is_trusted_ = Network::any_contains(context.trusted_proxies, peer);
  if (is_trusted_ || !context.admission.counts_clients()) return;
  client_ = ClientKey(peer);
  is_client_counted_ = context.admission.enter_client(client_);
  is_turned_away_ = !is_client_counted_;
}

DownstreamConnection::~DownstreamConnection() = default;

// --- Phases and their clocks ---------------------------------------------------------------------------------------

bool DownstreamConnection::is_edge(Phase from, Phase to) {
  if (to == Phase::Closing) return from != Phase::Closing;
  switch (from) {
    case Phase::Idle:
      return to == Phase::Head || to == Phase::Sending;
    case Phase::Sending:
      return to == Phase::Idle;
    case Phase::Head:
      return to == Phase::Body || to == Phase::Busy;
    case Phase::Body:
      return to == Phase::Busy;
    case Phase::Busy:
      return to == Phase::Idle || to == Phase::Tunnel;
    case Phase::Tunnel:
    case Phase::Closing:
      return false;
  }
  return false;
}

/// A clock starts with its phase, and what comes in the phase does not start it anew: a dribble wins no time.
void DownstreamConnection::enter(Phase next) {
  HF_ASSERT(is_edge(phase_, next));
  ListHook<IdleList>::unlink();
  phase_ = next;
  switch (next) {
    case Phase::Idle:
      since_ = context_.loop.now();
      context_.idle.push_back(*this);
      context_.timeouts_idle.arm(clock_, context_.timeouts.idle);
      break;
    case Phase::Head:
      request_begin_bytes_ = read_bytes_;
      response_bytes_ = 0;
      context_.timeouts_head.arm(clock_, context_.timeouts.head);
      break;
    case Phase::Body:
      watch_body();
      break;
    case Phase::Sending:
    case Phase::Busy:
    case Phase::Tunnel:
      clock_.disarm();
      break;
    case Phase::Closing:
      since_ = context_.loop.now();
      linger();
      break;
  }
}

void DownstreamConnection::watch_body() {
  body_window_.begin(read_bytes_);
  context_.timeouts_stall.arm(clock_, context_.timeouts.stall);
}

void DownstreamConnection::linger() {
  body_window_.begin(read_bytes_);
  context_.timeouts_linger.arm(clock_, kLinger);
}

void DownstreamConnection::watch_response() {
  response_window_.begin(stream_.taken_bytes());
  context_.timeouts_stall.arm(response_clock_, context_.timeouts.stall);
}

void DownstreamConnection::on_clock() {
  switch (phase_) {
    case Phase::Idle:
      if (stream_.unsent_bytes() > 0) return context_.timeouts_idle.arm(clock_, context_.timeouts.idle);
      if (stream_.has_input()) return;  // its next request came this very moment
      count(ClientTimeout::Idle);
      return leave();
    case Phase::Head:
      count(ClientTimeout::Head);
      return refuse({.code = Code::Timeout, .side = Side::Downstream, .why = "the request took too long to arrive"});
    case Phase::Body:
      if (body_window_.is_enough(read_bytes_, context_.due_bytes())) return watch_body();
      if (exchange_ != nullptr && !exchange_->is_waiting_for_client()) return watch_body();
      count(ClientTimeout::Body);
      if (exchange_ != nullptr) exchange_->on_client_stalled();
      return;
    case Phase::Closing:
      if (stream_.unsent_bytes() > 0) return;  // the other clock runs
      if (context_.loop.now() - since_ < kLingerMax && body_window_.is_enough(read_bytes_, kLingerBytesDue)) {
        return linger();
      }
      return leave();
    case Phase::Sending:
    case Phase::Busy:
    case Phase::Tunnel:
      return;
  }
}

/// Something has been unsent for a whole window. What counts is what the client itself took: the kernel says that it
/// has room again only after a third of its buffer, for which a slow client may need minutes.
void DownstreamConnection::on_response_clock() {
  if (response_window_.is_enough(stream_.taken_bytes(), context_.due_bytes())) return watch_response();
  count(ClientTimeout::Response);
  is_too_slow_ = true;
  leave();
}

void DownstreamConnection::count(ClientTimeout timeout) {
  context_.counters.timeouts[static_cast<std::size_t>(timeout)].add();
}

// --- From the client ---------------------------------------------------------------------------------------------

void DownstreamConnection::on_bytes(std::span<const char> bytes) {
  switch (phase_) {
    case Phase::Closing:
      read_bytes_ += bytes.size();
      return;
    case Phase::Sending:
    case Phase::Busy:
      return keep_early(bytes);
    case Phase::Tunnel:
      if (!early_.empty()) return keep_early(bytes);  // resume_tunnel() likewise
      read_bytes_ += bytes.size();
      return exchange_->on_tunnel_bytes({bytes.data(), bytes.size()});
    case Phase::Idle:
      if (!early_.empty()) return keep_early(bytes);  // resume() is on its way: these come behind those
      return consume(bytes);
    case Phase::Head:
    case Phase::Body:
      return consume(bytes);
  }
}

void DownstreamConnection::keep_early(std::span<const char> bytes) {
  early_.append(bytes.data(), bytes.size());
  if (early_.size() >= kEarlyBytesMax) stream_.stop_reading();
}

void DownstreamConnection::consume(std::span<const char> bytes) {
  is_consuming_ = true;
  while (!bytes.empty() && (phase_ == Phase::Idle || phase_ == Phase::Head || phase_ == Phase::Body)) {
    if (phase_ == Phase::Idle) enter(stream_.unsent_bytes() > kUnsentMax ? Phase::Sending : Phase::Head);
    if (phase_ == Phase::Sending) break;
    const auto used = parser_.parse(bytes);
    if (!used) {
      refuse(used.error());
      break;
    }
    read_bytes_ += *used;
    bytes = bytes.subspan(*used);
    has_next_ = !bytes.empty();
    if (exchange_ != nullptr) exchange_->advance();
  }
  is_consuming_ = has_next_ = false;
  if (!bytes.empty() && (phase_ == Phase::Busy || phase_ == Phase::Sending)) keep_early(bytes);
}

void DownstreamConnection::on_request_head(const RequestHead& head) {
  keep_alive_ = head.keep_alive;
  is_http10_ = head.version == Version::Http10;
  is_head_request_ = head.method == Method::Head;
  has_response_begun_ = false;
  ++requests_;
  if (head.framing != Framing::None) enter(Phase::Body);
  exchange_ = context_.exchanges.take(context_.exchange);
  const std::string_view peer{address_.data(), address_bytes_};
  std::array<char, INET6_ADDRSTRLEN> named_text;
  std::string_view named;
  if (is_trusted_) {
    const auto address = forwarded_client(head, context_.trusted_proxies);
    if (address) named = address->host_into(named_text.data(), named_text.size());
  }
  const ClientFacts client{.peer = peer,
                           .client = named.empty() ? peer : named,
                           .is_trusted = is_trusted_,
                           .request_id = context_.exchange.request_ids.next()};
  const Routed routed = route(head);
  exchange_->start(head, client, *this, routed.share, routed.refusal);
}

/// Whose request this is; where it is nobody's, why.
DownstreamConnection::Routed DownstreamConnection::route(const RequestHead& head) const {
  const RequestPlace place = place_of(head);
  // A server that resolves them would see a path of another route.
  if (context_.routes->has_paths() && has_dot_segment(place.path)) return {context_.unrouted, LocalError::DotSegment};
  const auto pool = context_.routes->find(host_of(place.authority), place.path);
  if (!pool) return {context_.unrouted, LocalError::NoRoute};
  return {context_.shares[*pool], std::nullopt};
}

void DownstreamConnection::on_request_body(std::string_view bytes) {
  if (exchange_ != nullptr) exchange_->on_request_body(bytes);
}

void DownstreamConnection::on_request_end(std::span<const Field> trailers) {
  if (exchange_ == nullptr) return;  // it was answered early: the connection is closing
  enter(Phase::Busy);
  exchange_->on_request_end(trailers);
}

void DownstreamConnection::on_end_of_stream() {
  is_client_done_ = true;
  // A half-close is not an abort: who has asked may still read the answer.
  if (phase_ == Phase::Busy || phase_ == Phase::Sending) return;
  if (phase_ == Phase::Idle && !early_.empty()) return;  // nor are those that came behind it: resume() is on its way
  if (phase_ == Phase::Tunnel) {
    if (early_.empty()) exchange_->on_tunnel_bytes_end();
    return;  // else the end, too, comes behind those
  }
  if (stream_.unsent_bytes() == 0 || exchange_ != nullptr) return leave();
  if (phase_ != Phase::Closing) begin_closing();
}

void DownstreamConnection::on_broken(const Error&) { leave(); }

void DownstreamConnection::on_drained() {
  response_clock_.disarm();
  if (phase_ == Phase::Closing) {
    if (is_client_done_) return leave();
    linger();
  }
  if (phase_ == Phase::Sending) {
    enter(Phase::Idle);
    return resume();
  }
  if (exchange_ != nullptr) exchange_->on_client_drained();
}

// --- From the exchange -------------------------------------------------------------------------------------------

Result<void> DownstreamConnection::write_response(std::initializer_list<std::string_view> pieces) {
  has_response_begun_ = true;
  for (const std::string_view piece : pieces) response_bytes_ += piece.size();
  return stream_.write(pieces);
}

void DownstreamConnection::want_request_body(bool is_wanted) {
  if ((phase_ != Phase::Body && phase_ != Phase::Tunnel) || is_wanted != is_paused_ || is_client_done_) return;
  is_paused_ = !is_wanted;
  if (phase_ == Phase::Tunnel) return is_wanted ? stream_.start_reading() : stream_.stop_reading();
  if (is_wanted) {
    stream_.start_reading();
    watch_body();
  } else {
    stream_.stop_reading();
    clock_.disarm();  // it is not the client who does not go on
  }
}

void DownstreamConnection::begin_tunnel() {
  enter(Phase::Tunnel);
  keep_alive_ = false;
  context_.loop.defer(this, [](void* self) { static_cast<DownstreamConnection*>(self)->resume_tunnel(); });
}

bool DownstreamConnection::is_last_response() const {
  const std::size_t requests_max = context_.limits.requests_per_connection;
  const bool is_client_last = is_client_done_ && early_.empty() && !has_next_;
  return !keep_alive_ || is_client_last || context_.is_draining || (requests_max != 0 && requests_ >= requests_max);
}

void DownstreamConnection::on_exchange_done(Afterwards afterwards) {
  tell_of_exchange();
  Exchange::give_back_later(std::move(exchange_));         // it is still on the stack
  if (!stream_.is_open() || refusing_ != nullptr) return;  // we are leaving
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
  enter(Phase::Idle);
  has_response_begun_ = is_head_request_ = is_http10_ = false;
  if (!is_consuming_ && (!early_.empty() || is_client_done_)) {
    context_.loop.defer(this, [](void* self) { static_cast<DownstreamConnection*>(self)->resume(); });
  }
}

// --- Its own ------------------------------------------------------------------------------------------------------

/// Goes on with what came while Busy or Sending.
void DownstreamConnection::resume() {
  if (!stream_.is_open() || phase_ != Phase::Idle) return;
  const std::string bytes = std::exchange(early_, {});
  if (!is_client_done_) stream_.start_reading();
  consume(bytes);
  if (!is_client_done_ || !stream_.is_open()) return;
  if (phase_ == Phase::Idle || phase_ == Phase::Head || phase_ == Phase::Body) on_end_of_stream();
}

/// Hands over what the client sent before it saw the 101.
void DownstreamConnection::resume_tunnel() {
  if (!stream_.is_open() || phase_ != Phase::Tunnel) return;
  const std::string bytes = std::exchange(early_, {});
  if (!is_client_done_) stream_.start_reading();
  read_bytes_ += bytes.size();
  if (!bytes.empty()) exchange_->on_tunnel_bytes(bytes);
  if (is_client_done_ && phase_ == Phase::Tunnel) exchange_->on_tunnel_bytes_end();
}

void DownstreamConnection::refuse(const Error& error) {
  context_.counters.rejected[static_cast<std::size_t>(rejection_of(error.code))].add();
  keep_alive_ = false;
  refusing_ = &error;
  bool is_told = false;
  // A client that has some of a response already must not take it for the whole.
  if (!has_response_begun_) {
    // The id that its server was told, where there is one.
    const std::string_view id = exchange_ != nullptr ? exchange_->request_id() : context_.exchange.request_ids.next();
    write_local_response(context_.response, response_to_bad_client(error), context_.exchange.date,
                         {.request_id = id, .is_head = is_head_request_, .closes = true, .is_http10 = is_http10_});
    response_bytes_ += context_.response.size();
    is_told = stream_.write(context_.response).has_value();
    if (exchange_ == nullptr) tell_of_refusal(id);
  }
  if (exchange_ != nullptr) exchange_->on_client_gone();  // its request will never be whole
  refusing_ = nullptr;
  if (is_told) return begin_closing();
  stream_.reset();
  leave();
}

/// It has as many connections as it may. Told at once, before it has asked anything: it will not be served anyway.
void DownstreamConnection::turn_away() {
  ++context_.turned_away;
  if (context_.turned_away <= kTurnedAwayMax) {
    return refuse({.code = Code::TooMany, .side = Side::Downstream, .why = "too many connections from one address"});
  }
  context_.counters.rejected[static_cast<std::size_t>(Rejection::ClientLimit)].add();
  leave();
}

/// Ends the connection after what has been written. Not at once: a close with unread bytes in the kernel would be a
/// reset, and could take the response with it.
void DownstreamConnection::begin_closing() {
  enter(Phase::Closing);
  release(early_);
  if (is_client_done_ && stream_.unsent_bytes() == 0) return leave();
  stream_.finish_writing();
  if (!is_client_done_) stream_.start_reading();
}

void DownstreamConnection::close_when_idle() {
  keep_alive_ = false;
  if (phase_ != Phase::Idle || stream_.has_input()) return;  // a request that is here already is still answered
  if (stream_.unsent_bytes() > 0) return begin_closing();
  leave();
}

void DownstreamConnection::abandon() {
  is_abandoned_ = true;
  leave();
}

void DownstreamConnection::leave() {
  if (!ListHook<>::is_linked()) return;
  if (phase_ == Phase::Head && exchange_ == nullptr && refusing_ == nullptr) tell_of_half_head();
  ListHook<>::unlink();
  ListHook<IdleList>::unlink();
  if (--context_.open == 0 && context_.ends_when_empty) context_.loop.stop();
  if (is_turned_away_) --context_.turned_away;
  context_.counters.connections.add(-1);
  // A response of which a part is missing must not end like a whole one.
  if (stream_.unsent_bytes() > 0 || (exchange_ != nullptr && has_response_begun_)) stream_.reset();
  stream_.close();
  if (is_client_counted_) context_.admission.leave_client(client_);
  context_.admission.leave();  // after its descriptor is given back
  clock_.disarm();
  response_clock_.disarm();
  phase_ = Phase::Closing;
  if (exchange_ != nullptr) is_abandoned_ ? exchange_->on_shutdown() : exchange_->on_client_gone();
  context_.loop.retire(std::unique_ptr<DownstreamConnection>(this));
}

}  // namespace holdfast::lb
