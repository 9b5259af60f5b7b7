#include "lb/exchange/outgoing_request.h"

#include "common/http/writer.h"
#include "lb/exchange/local_response.h"
#include "lb/exchange/retry.h"
#include "lb/upstream/endpoint.h"

namespace holdfast::lb {
namespace {

constexpr std::string_view kExpectContinue = "Expect: 100-continue\r\n\r\n";

bool wants_key(const RequestHead& head) {
  return (head.method == Method::Post || head.method == Method::Patch) && head.find(FieldId::IdempotencyKey) == nullptr;
}

}  // namespace

void OutgoingRequest::start(const RequestHead& head, const ClientFacts& client, const PoolSettings& settings) {
  rules_ = &settings.request_fields;
  id_ = request_id_of(head, client);
  wants_text_ = lb::wants_text(head);
  method_ = head.method;
  version_ = head.version;
  framing_ = head.framing;
  is_repeatable_ = lb::is_repeatable(head);
  is_complete_ = head.framing == Framing::None;
  body_bytes_ = 0;
  awaits_continue_ = head.expects_continue && head.framing != Framing::None;
  takes_trailers_ = lb::takes_trailers(head);
  upgrade_.assign(wanted_upgrade(head, settings.upgrade));
  trailers_.clear();
  // Of lb's own making, whoever the client is: a request id of another's may come twice.
  has_assigned_key_ = settings.retry.assign_idempotency_key && !is_repeatable_ && wants_key(head);
  is_repeatable_ = is_repeatable_ || has_assigned_key_;
  has_host_ = write_request_head(head_, head, client,
                                 {.upgrade = upgrade_,
                                  .takes_trailers = takes_trailers_,
                                  .idempotency_key = has_assigned_key_ ? client.request_id : std::string_view{},
                                  .rules = rules_});
  replay_.reset(settings.retry.body_buffer_bytes);
}

bool OutgoingRequest::collect(std::string_view bytes) {
  awaits_continue_ = false;  // it did not wait
  body_bytes_ += bytes.size();
  replay_.collect(bytes);
  return !replay_.is_full();
}

Result<void> OutgoingRequest::forward(UpstreamConnection& connection, std::string_view bytes) {
  awaits_continue_ = false;
  body_bytes_ += bytes.size();
  replay_.passed_on(bytes);
  if (framing_ != Framing::Chunked) return connection.write({bytes});
  return connection.write({ChunkHead(bytes.size()).text(), bytes, kEmptyLine});
}

void OutgoingRequest::complete(std::span<const Field> trailers) {
  is_complete_ = true;
  awaits_continue_ = false;
  write_trailers(trailers_, trailers, *rules_);
}

Result<void> OutgoingRequest::forward_end(UpstreamConnection& connection) {
  return framing_ == Framing::Chunked ? connection.write({kLastChunkHead, trailers_, kEmptyLine}) : Result<void>{};
}

/// A client of HTTP/1.0 need not say Host, but lb speaks HTTP/1.1: the server gets its own authority.
Result<void> OutgoingRequest::send_head(UpstreamConnection& connection, std::string_view end) {
  if (has_host_) return connection.write({head_, end});
  const std::size_t line_bytes = head_.find("\r\n") + 2;
  const std::string_view head = head_;
  return connection.write({head.substr(0, line_bytes), "Host: ", connection.endpoint().server().authority(), "\r\n",
                           head.substr(line_bytes), end});
}

Result<void> OutgoingRequest::send(UpstreamConnection& connection) {
  const std::string_view body = replay_.bytes();
  auto sent = send_head(connection, awaits_continue_ ? kExpectContinue : kEmptyLine);
  if (sent && !body.empty()) {
    sent = framing_ == Framing::Chunked ? connection.write({ChunkHead(body.size()).text(), body, kEmptyLine})
                                        : connection.write({body});
  }
  if (sent && is_complete_) sent = forward_end(connection);
  if (sent) replay_.sent_all();
  return sent;
}

}  // namespace holdfast::lb
