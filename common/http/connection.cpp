#include "common/http/connection.h"

#include "common/assert.h"
#include "common/http/rules.h"
#include "common/http/server_scratch.h"
#include "common/memory/release.h"

#include <utility>

namespace holdfast {
namespace {

/// Of a client that pipelines into a slow answer, no more than this is kept; then it is not read from.
constexpr std::size_t kEarlyBytesMax = 64 * 1024;
/// With more than this unsent, a pipelined request waits: its answer would only lie here as well.
constexpr std::size_t kUnsentMax = 64 * 1024;
/// After the last response, the client has so long to close before we do.
constexpr std::chrono::milliseconds kLinger{1000};

int status_of(const Error& error) {
  switch (error.code) {
    case Code::HeadTooLarge:
      return 431;
    case Code::TargetTooLong:
      return 414;
    case Code::BodyTooLarge:
      return 413;
    case Code::Timeout:
      return 408;
    case Code::Unsupported:
      return 501;
    case Code::OtherVersion:
      return 505;
    case Code::Expectation:
      return 417;
    default:
      return 400;
  }
}

ParserLimits parser_limits(const ServerLimits& limits) {
  return {.head_bytes = limits.request_head_bytes,
          .target_bytes = limits.request_target_bytes,
          .fields = limits.header_fields};
}

}  // namespace

HttpConnection::HttpConnection(HttpServer& server, Stream stream)
    : server_(server),
      stream_(std::move(stream)),
      parser_(parser_limits(server.limits_), server.scratch_->head, *this),
      client_(stream_.peer()),
      timeout_(Timeout::calling<&HttpConnection::on_timeout>(this)) {}

HttpConnection::~HttpConnection() {
  if (responder_ != nullptr) responder_->connection_ = nullptr;
}

void HttpConnection::start() {
  stream_.set_user(this);
  server_.timeouts_head_.arm(timeout_, server_.limits_.timeout_head);
  stream_.start_reading();
}

void HttpConnection::close_when_idle() {
  wants_close_ = true;
  if (phase_ == Phase::Idle && parser_.is_between() && early_.empty()) finish();
}

void HttpConnection::abandon() {
  stream_.close();
  timeout_.disarm();
  if (responder_ != nullptr) std::exchange(responder_, nullptr)->connection_ = nullptr;
  phase_ = Phase::Closing;
}

void HttpConnection::on_bytes(std::span<const char> bytes) {
  if (phase_ == Phase::Closing) return;
  // Or resume() is on its way: these bytes come behind those.
  if (phase_ == Phase::Handling || !early_.empty()) return keep_early(bytes);
  consume(bytes);
}

void HttpConnection::consume(std::span<const char> bytes) {
  is_consuming_ = true;
  while (!bytes.empty() && (phase_ == Phase::Idle || phase_ == Phase::Reading)) {
    if (phase_ == Phase::Idle) {
      if (stream_.unsent_bytes() > kUnsentMax) break;  // on_drained() goes on
      phase_ = Phase::Reading;
      server_.timeouts_head_.arm(timeout_, server_.limits_.timeout_head);
    }
    const auto used = parser_.parse(bytes);
    if (!used || is_refused_) {
      refuse(is_refused_ ? refusal_ : used.error());
      break;
    }
    bytes = bytes.subspan(*used);
  }
  is_consuming_ = false;
  if (phase_ != Phase::Closing && !bytes.empty()) keep_early(bytes);
}

void HttpConnection::keep_early(std::span<const char> bytes) {
  early_.append(bytes.data(), bytes.size());
  if (early_.size() >= kEarlyBytesMax) stream_.stop_reading();
}

void HttpConnection::on_request_head(const RequestHead& head) {
  ++server_.counts_.requests;
  is_head_request_ = head.method == Method::Head;
  wants_close_ = wants_close_ || !head.keep_alive;
  head_ = head;
  if (head.framing == Framing::None) return;
  if (head.content_length > server_.limits_.request_body_bytes) {
    is_refused_ = true;
    refusal_ = Error{.code = Code::BodyTooLarge, .side = Side::Downstream, .why = "the body is too large"};
    return;
  }
  kept_.keep(head);
  head_ = kept_.head();
  if (head.expects_continue && !stream_.write(kContinue)) wants_close_ = true;
}

void HttpConnection::on_request_body(std::string_view bytes) {
  if (is_refused_) return;
  if (body_.size() + bytes.size() > server_.limits_.request_body_bytes) {
    is_refused_ = true;
    refusal_ = Error{.code = Code::BodyTooLarge, .side = Side::Downstream, .why = "the body is too large"};
    return;
  }
  body_ += bytes;
}

void HttpConnection::on_request_end(std::span<const Field>) {
  if (is_refused_) return;
  phase_ = Phase::Handling;
  timeout_.disarm();
  std::string_view target = head_.target;
  if (target.front() != '/' && target != "*") {  // absolute-form: the path begins behind the authority
    const auto path = target.find('/', target.find("://") + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  const auto question = target.find('?');
  const HttpRequest request{
      .head = head_,
      .path = target.substr(0, question),
      .query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1),
      .body = body_,
      .client = client_,
  };
  server_.handler_.on_request(request, Responder(*this));
}

void HttpConnection::refuse(const Error& error) {
  ++server_.counts_.refused;
  wants_close_ = true;
  is_head_request_ = false;
  phase_ = Phase::Handling;
  std::string text(error.why);
  text += '\n';
  send({.status = status_of(error), .content_type = "text/plain; charset=utf-8", .fields = {}, .body = text}, false);
}

void HttpConnection::send(const HttpResponse& response, bool is_streamed) {
  const bool is_last = client_is_done_ && early_.empty() && !is_consuming_;
  const bool closes = wants_close_ || server_.is_closing_ || is_last || is_streamed;
  wants_close_ = closes;
  std::string& out = server_.scratch_->response;
  out.clear();
  HeadWriter writer(out);
  writer.status_line(response.status, reason_phrase(response.status));
  writer.field("Date", server_.scratch_->date.now());
  if (!response.content_type.empty()) writer.field("Content-Type", response.content_type);
  for (const Field& field : response.fields) writer.field(field.name, field.value);
  const bool has_body = !is_bodiless(is_head_request_ ? Method::Head : Method::Get, response.status);
  if (!is_streamed && response.status != 204 && response.status != 304) {
    writer.field("Content-Length", response.body.size());
  }
  if (closes) writer.field("Connection", "close");
  writer.end();
  const std::string_view body = has_body ? response.body : std::string_view{};
  if (!stream_.write({out, body})) return leave();
  if (stream_.unsent_bytes() > 0) server_.timeouts_stall_.arm(timeout_, server_.limits_.timeout_stall);
  is_streaming_ = is_streamed;
  if (!is_streamed) answered();
}

void HttpConnection::send_more(std::string_view bytes) {
  if (!stream_.write(bytes) || stream_.unsent_bytes() > kEarlyBytesMax) return leave();  // too slow for what it wants
  if (stream_.unsent_bytes() > 0 && !timeout_.is_armed()) {
    server_.timeouts_stall_.arm(timeout_, server_.limits_.timeout_stall);
  }
}

/// The response is written whole, though the client may not have taken it yet.
void HttpConnection::answered() {
  is_streaming_ = false;
  body_.clear();
  if (body_.capacity() > kEarlyBytesMax) body_.shrink_to_fit();
  if (wants_close_) {
    // Not closed at once: a close with unread bytes in the kernel would be a reset, and could take the response with
    // it.
    phase_ = Phase::Closing;
    if (client_is_done_ && stream_.unsent_bytes() == 0) return leave();
    stream_.finish_writing();
    release(early_);
    stream_.start_reading();
    if (stream_.unsent_bytes() > 0) return server_.timeouts_stall_.arm(timeout_, server_.limits_.timeout_stall);
    return server_.timeouts_linger_.arm(timeout_, kLinger);
  }
  phase_ = Phase::Idle;
  if (stream_.unsent_bytes() == 0) server_.timeouts_idle_.arm(timeout_, server_.limits_.timeout_idle);
  if (!early_.empty() || client_is_done_) {
    // The next request must not be handled on the stack of whoever answered this one.
    server_.loop_.defer(this, [](void* self) { static_cast<HttpConnection*>(self)->resume(); });
  }
}

void HttpConnection::resume() {
  if (!stream_.is_open() || phase_ != Phase::Idle) return;
  const std::string bytes = std::exchange(early_, {});
  if (!client_is_done_) stream_.start_reading();
  consume(bytes);
  if (client_is_done_ && stream_.is_open()) on_end_of_stream();
}

void HttpConnection::on_end_of_stream() {
  client_is_done_ = true;
  // A half-close: it may still read its answers, those that are asked for already and those that are on their way.
  if (phase_ == Phase::Handling || (phase_ == Phase::Idle && !early_.empty())) return;
  finish();
}

/// Nothing more is answered: leaves as soon as what is written has gone out.
void HttpConnection::finish() {
  if (phase_ != Phase::Closing) {
    phase_ = Phase::Closing;
    stream_.finish_writing();
    if (stream_.unsent_bytes() > 0) server_.timeouts_stall_.arm(timeout_, server_.limits_.timeout_stall);
  }
  if (stream_.unsent_bytes() == 0) leave();
}

void HttpConnection::on_broken(const Error&) { leave(); }

void HttpConnection::on_drained() {
  if (phase_ == Phase::Idle) {
    server_.timeouts_idle_.arm(timeout_, server_.limits_.timeout_idle);
    if (!early_.empty()) return resume();
  }
  if (phase_ == Phase::Handling) timeout_.disarm();
  if (phase_ != Phase::Closing) return;
  if (client_is_done_) return leave();
  server_.timeouts_linger_.arm(timeout_, kLinger);
}

void HttpConnection::on_timeout() {
  if (phase_ == Phase::Reading) {
    return refuse({.code = Code::Timeout, .side = Side::Downstream, .why = "the request took too long to arrive"});
  }
  leave();
}

void HttpConnection::leave() {
  if (!stream_.is_open()) return;
  if (stream_.unsent_bytes() > 0)
    stream_.reset();  // a response of which a part is missing must not end like a whole one
  abandon();
  server_.on_gone(*this);
}

Responder::Responder(HttpConnection& connection) : connection_(&connection) { connection.responder_ = this; }

Responder::Responder(Responder&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {
  if (connection_ != nullptr) connection_->responder_ = this;
}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this == &other) return *this;
  this->~Responder();
  return *new (this) Responder(std::move(other));
}

Responder::~Responder() {
  if (connection_ == nullptr) return;
  if (connection_->is_streaming_) {
    end();
    return;
  }
  send({.status = 500, .content_type = "text/plain; charset=utf-8", .fields = {}, .body = "not answered\n"});
}

void Responder::send(const HttpResponse& response) {
  if (connection_ == nullptr) return;
  HttpConnection& connection = *std::exchange(connection_, nullptr);
  connection.responder_ = nullptr;
  connection.send(response, false);
}

void Responder::begin(const HttpResponse& response) {
  if (connection_ != nullptr) connection_->send(response, true);
}

void Responder::more(std::string_view bytes) {
  if (connection_ != nullptr) connection_->send_more(bytes);
}

void Responder::end() {
  if (connection_ == nullptr) return;
  HttpConnection& connection = *std::exchange(connection_, nullptr);
  connection.responder_ = nullptr;
  connection.answered();
}

}  // namespace holdfast
