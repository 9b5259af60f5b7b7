#include "lb/exchange/forward.h"

#include "common/http/rules.h"
#include "common/http/writer.h"

namespace holdfast::lb {
namespace {

bool goes_on(const MessageHead& head, const Field& field) {
  if (is_hop_by_hop(field.id)) return false;
  if (head.connection.empty()) return true;
  // A client may name its own fields for removal, but not those that make the request what it is.
  if (field.id == FieldId::Host || field.id == FieldId::ContentLength) return true;
  return !connection_names(head, field.name);
}

}  // namespace

void write_request_head(std::string& out, const RequestHead& head, const ClientFacts& client) {
  out.clear();
  HeadWriter writer(out);
  // RFC 9112 §3.2.2: the authority of an absolute-form target outweighs Host; a server is asked in origin-form.
  const TargetParts target = split_target(head.method, head.target);
  const std::string_view host = target.authority.empty() ? head.host : target.authority;
  writer.append(head.method_text, " ", target.has_no_path ? "/" : "", target.origin_form, " HTTP/1.1\r\n");
  writer.field("Host", host);
  std::string_view forwarded_for;
  bool has_request_id = false;
  bool has_forwarded_proto = false;
  bool has_forwarded_host = false;
  for (const Field& field : head.fields) {
    switch (field.id) {
      case FieldId::Host:
      case FieldId::Expect:  // answered by us
        continue;
      case FieldId::ContentLength:
        continue;  // written below from what was understood
      case FieldId::XForwardedFor:
        if (client.is_trusted && !field.value.empty()) {
          if (!forwarded_for.empty()) writer.field("X-Forwarded-For", forwarded_for);  // several lines are one list
          forwarded_for = field.value;
        }
        continue;
      case FieldId::XForwardedProto:
        if (!client.is_trusted) continue;
        has_forwarded_proto = true;
        break;
      case FieldId::XForwardedHost:
        if (!client.is_trusted) continue;
        has_forwarded_host = true;
        break;
      case FieldId::XRequestId:
        if (!client.is_trusted) continue;
        has_request_id = true;
        break;
      default:
        break;
    }
    if (goes_on(head, field)) writer.field(field.name, field.value);
  }
  if (forwarded_for.empty()) {
    writer.field("X-Forwarded-For", client.address);
  } else {
    writer.append("X-Forwarded-For: ", forwarded_for, ", ", client.address, "\r\n");
  }
  if (!has_forwarded_proto) writer.field("X-Forwarded-Proto", "http");
  if (!has_forwarded_host && !host.empty()) writer.field("X-Forwarded-Host", host);
  if (!has_request_id) writer.field("X-Request-ID", client.request_id);
  if (head.framing == Framing::Chunked) {
    writer.field("Transfer-Encoding", "chunked");
  } else if (head.has_content_length) {
    writer.field("Content-Length", head.content_length);
  }
  writer.end();
}

void begin_response_head(std::string& out, const ResponseHead& head) {
  out.clear();
  HeadWriter writer(out);
  writer.status_line(head.status, head.reason);
  for (const Field& field : head.fields) {
    if (field.id == FieldId::ContentLength || field.id == FieldId::LbDrain) continue;
    if (goes_on(head, field)) writer.field(field.name, field.value);
  }
}

void finish_response_head(std::string& out, const ResponseFraming& framing) {
  HeadWriter writer(out);
  switch (framing.framing) {
    case Framing::None:
      if (framing.has_content_length) writer.field("Content-Length", framing.content_length);
      break;
    case Framing::Length:
      writer.field("Content-Length", framing.content_length);
      break;
    case Framing::Chunked:
      writer.field("Transfer-Encoding", "chunked");
      break;
    case Framing::UntilClose:
      break;
  }
  if (framing.closes) {
    writer.field("Connection", "close");
  } else if (framing.is_http10) {
    writer.field("Connection", "keep-alive");
  }
  writer.end();
}

void write_interim_head(std::string& out, const ResponseHead& head) {
  begin_response_head(out, head);
  out += "\r\n";
}

RequestIds::RequestIds() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  random_.seed(seed);
}

std::string_view RequestIds::next() {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random_();
    for (int i = 0; i < 16; ++i, bits >>= 4) text_[half * 16 + i] = kDigits[bits & 15];
  }
  return {text_, sizeof text_};
}

}  // namespace holdfast::lb
