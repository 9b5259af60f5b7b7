#include "lb/exchange/incoming_response.h"

#include "common/http/writer.h"
#include "common/memory/release.h"

#include <utility>

namespace holdfast::lb {
namespace {

bool is_event_stream(const ResponseHead& head) {
  const Field* type = head.find(FieldId::ContentType);
  constexpr std::string_view kType = "text/event-stream";
  return type != nullptr && equals_ignoring_case(type->value.substr(0, kType.size()), kType);
}

bool says(const ResponseHead& head, FieldId id, std::string_view value) {
  const Field* field = head.find(id);
  return field != nullptr && equals_ignoring_case(field->value, value);
}

bool may_hold(const ResponseHead& head, std::size_t buffer_bytes) {
  switch (head.framing) {
    case Framing::None:
      return true;  // it is whole with its head
    case Framing::Length:
      return head.content_length <= buffer_bytes && !says(head, FieldId::XAccelBuffering, "no") &&
             !is_event_stream(head);
    case Framing::Chunked:
      return buffer_bytes > 0 && !says(head, FieldId::XAccelBuffering, "no") && !is_event_stream(head);
    case Framing::UntilClose:
      return false;  // its end can't be told from a cut
  }
  return false;
}

}  // namespace

void IncomingResponse::clear() {
  clear_keeping_little(head_);
  clear_keeping_little(held_);
  clear_keeping_little(trailers_);
  status_ = 0;
  has_retry_after_ = says_draining_ = must_hold_ = false;
}

void IncomingResponse::start(const ResponseHead& head, ClientTakes takes, const ResponseAdditions& added,
                             const ResponseSettings& settings) {
  status_ = head.status;
  has_retry_after_ = head.find(FieldId::RetryAfter) != nullptr;
  says_draining_ = says(head, FieldId::LbDrain, "1");
  framing_ = {.framing = head.framing,
              .content_length = head.content_length,
              .has_content_length = head.has_content_length && head.status != 204,
              .closes = false,
              .is_http10 = !takes.chunked};
  takes_trailers_ = takes.trailers && takes.chunked;
  must_hold_ = may_hold(head, settings.buffer_bytes);
  held_max_ = settings.buffer_bytes;
  held_.clear();
  trailers_.clear();
  rules_ = added.rules;
  begin_response_head(head_, head, added);
}

void IncomingResponse::complete(std::span<const Field> trailers) {
  if (!takes_trailers_) return;
  write_trailers(trailers_, trailers, *rules_);
}

bool IncomingResponse::hold(std::string_view bytes) {
  held_ += bytes;
  return held_.size() <= held_max_;
}

Result<void> IncomingResponse::send_head(ResponseTaker& taker, bool is_whole, Afterwards afterwards) {
  if (is_whole && framing_.framing != Framing::None && trailers_.empty()) {
    framing_.framing = Framing::Length;
    framing_.content_length = held_.size();
  } else if (framing_.framing == Framing::Chunked || framing_.framing == Framing::UntilClose) {
    framing_.framing = framing_.is_http10 ? Framing::UntilClose : Framing::Chunked;
  }
  framing_.closes = framing_.framing == Framing::UntilClose || afterwards == Afterwards::Close;
  finish_response_head(head_, framing_);
  if (framing_.framing != Framing::Chunked) return taker.write_response({head_, held_});
  const auto sent = held_.empty() ? taker.write_response({head_})
                                  : taker.write_response({head_, ChunkHead(held_.size()).text(), held_, kEmptyLine});
  return sent && is_whole ? send_end(taker) : sent;
}

Result<void> IncomingResponse::send_piece(ResponseTaker& taker, std::string_view bytes) {
  if (framing_.framing != Framing::Chunked) return taker.write_response({bytes});
  return taker.write_response({ChunkHead(bytes.size()).text(), bytes, kEmptyLine});
}

Result<void> IncomingResponse::send_end(ResponseTaker& taker) {
  if (framing_.framing != Framing::Chunked) return {};
  return taker.write_response({kLastChunkHead, trailers_, kEmptyLine});
}

void IncomingResponse::swap(IncomingResponse& other) {
  head_.swap(other.head_);
  held_.swap(other.held_);
  trailers_.swap(other.trailers_);
  std::swap(takes_trailers_, other.takes_trailers_);
  std::swap(held_max_, other.held_max_);
  std::swap(framing_, other.framing_);
  std::swap(status_, other.status_);
  std::swap(has_retry_after_, other.has_retry_after_);
  std::swap(says_draining_, other.says_draining_);
  std::swap(must_hold_, other.must_hold_);
}

}  // namespace holdfast::lb
