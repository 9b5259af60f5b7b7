#include "lb/exchange/outgoing_request.h"

#include "common/http/writer.h"
#include "lb/exchange/retry.h"

namespace holdfast::lb {

void OutgoingRequest::start(const RequestHead& head, const ClientFacts& client, std::size_t body_buffer_bytes) {
  method_ = head.method;
  version_ = head.version;
  framing_ = head.framing;
  is_repeatable_ = lb::is_repeatable(head);
  is_complete_ = head.framing == Framing::None;
  body_bytes_ = 0;
  write_request_head(head_, head, client);
  replay_.reset(body_buffer_bytes);
}

bool OutgoingRequest::collect(std::string_view bytes) {
  body_bytes_ += bytes.size();
  replay_.collect(bytes);
  return !replay_.is_full();
}

Result<void> OutgoingRequest::forward(UpstreamConnection& connection, std::string_view bytes) {
  body_bytes_ += bytes.size();
  replay_.passed_on(bytes);
  if (framing_ != Framing::Chunked) return connection.write({bytes});
  return connection.write({ChunkHead(bytes.size()).text(), bytes, "\r\n"});
}

Result<void> OutgoingRequest::forward_end(UpstreamConnection& connection) {
  return framing_ == Framing::Chunked ? connection.write({kLastChunk}) : Result<void>{};
}

Result<void> OutgoingRequest::send(UpstreamConnection& connection) {
  const std::string_view body = replay_.bytes();
  Result<void> sent;
  if (framing_ == Framing::Chunked) {
    const std::string_view last = is_complete_ ? kLastChunk : std::string_view{};
    sent = body.empty() ? connection.write({head_, last})
                        : connection.write({head_, ChunkHead(body.size()).text(), body, "\r\n", last});
  } else {
    sent = connection.write({head_, body});
  }
  if (sent) replay_.sent_all();
  return sent;
}

}  // namespace holdfast::lb
