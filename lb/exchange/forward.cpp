#include "lb/exchange/forward.h"

#include "common/http/rules.h"
#include "common/http/writer.h"

#include <algorithm>

namespace holdfast::lb {
namespace {

/// Its Upgrade is what it has to say (RFC 9110 §15.5.22): the one response whose Upgrade is not for this hop alone.
constexpr int kUpgradeRequired = 426;

bool goes_on(const MessageHead& head, const Field& field) {
  if (is_hop_by_hop(field.id)) return false;
  if (head.connection.empty()) return true;
  // A client may name its own fields for removal, but not those that make the request what it is. Without its key the
  // server would do twice what lb, which knows the key, tries twice.
  if (field.id == FieldId::Host || field.id == FieldId::ContentLength || field.id == FieldId::IdempotencyKey)
    return true;
  return !connection_names(head, field.name);
}

/// Writes a head of which the pool's rules may drop fields and add some.
class RuledWriter {
 public:
  RuledWriter(std::string& out, const FieldRules* rules) : writer_(out), rules_(rules) {}

  template <class... Pieces>
  void append(Pieces... pieces) {
    writer_.append(pieces...);
  }
  /// What no rule may touch.
  template <class Value>
  void own_field(std::string_view name, Value value) {
    writer_.field(name, value);
  }
  void field(std::string_view name, std::string_view value) {
    if (!drops(name)) writer_.field(name, value);
  }
  /// A list that has `list` and then `last`.
  void field(std::string_view name, std::string_view list, std::string_view last) {
    if (!drops(name)) writer_.append(name, ": ", list, ", ", last, "\r\n");
  }
  void rule_lines() {
    if (rules_ != nullptr) writer_.append(rules_->lines());
  }

 private:
  bool drops(std::string_view name) const { return rules_ != nullptr && rules_->drops(name); }

  HeadWriter writer_;
  const FieldRules* rules_;
};

bool has_underscore(std::string_view name) { return name.find('_') != std::string_view::npos; }

/// A field by which proxies say whom they serve: `Forwarded`, `X-Real-IP`, all of `X-Forwarded-*` and, since CGI reads
/// them the same, their forms with `_`; so X_Request_ID as well.
bool tells_of_client(std::string_view name) {
  const char first = name.empty() ? ' ' : name.front();
  if ((first | 0x20) != 'x' && (first | 0x20) != 'f') return false;  // as nearly always
  const auto folded = [](char c) { return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto begins_with = [&](std::string_view prefix) {
    return name.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), name.begin(), [&](char a, char b) { return a == folded(b); });
  };
  const auto is = [&](std::string_view other) { return name.size() == other.size() && begins_with(other); };
  return begins_with("x-forwarded") || is("forwarded") || is("x-real-ip") || is("x-request-id");
}

/// Which of the fields that lb would add the server has said itself.
struct FieldsSaid {
  bool date = false;
  bool request_id = false;
};

FieldsSaid write_response_fields(std::string& out, const ResponseHead& head, const FieldRules* rules) {
  out.clear();
  HeadWriter(out).status_line(head.status, head.reason);
  RuledWriter writer(out, rules);
  FieldsSaid said;
  bool asks_upgrade = false;
  for (const Field& field : head.fields) {
    if (head.status == kUpgradeRequired && field.id == FieldId::Upgrade) {
      writer.own_field(field.name, field.value);
      asks_upgrade = true;
      continue;
    }
    if (field.id == FieldId::ContentLength || field.id == FieldId::LbDrain || !goes_on(head, field)) continue;
    writer.field(field.name, field.value);
    said.request_id = said.request_id || field.id == FieldId::XRequestId;
    said.date = said.date || equals_ignoring_case(field.name, "Date");
  }
  if (asks_upgrade) writer.own_field("Connection", "Upgrade");
  return said;
}

}  // namespace

std::string_view wanted_upgrade(const RequestHead& head, std::span<const std::string> allowed) {
  if (head.connection.empty() || head.version != Version::Http11 || head.method != Method::Get ||
      head.framing != Framing::None || !connection_names(head, "upgrade")) {
    return {};
  }
  std::string_view wanted;
  for (const Field& field : head.fields) {
    if (field.id != FieldId::Upgrade) continue;
    if (!wanted.empty()) return {};  // a choice: lb makes none
    wanted = field.value;
  }
  const bool may = std::any_of(allowed.begin(), allowed.end(),
                               [&](const std::string& one) { return equals_ignoring_case(one, wanted); });
  return may ? wanted : std::string_view{};
}

bool takes_trailers(const RequestHead& head) {
  const Field* te = head.version == Version::Http11 ? head.find(FieldId::Te) : nullptr;
  return te != nullptr && connection_names(te->value, "trailers");
}

bool write_request_head(std::string& out, const RequestHead& head, const ClientFacts& client, const HopFacts& hop) {
  out.clear();
  RuledWriter writer(out, hop.rules);
  // RFC 9112 §3.2.2: the authority of an absolute-form target outweighs Host; a server is asked in origin-form.
  const TargetParts target = split_target(head.method, head.target);
  const std::string_view host = target.authority.empty() ? head.host : target.authority;
  writer.append(head.method_text, " ", target.has_no_path ? "/" : "", target.origin_form, " HTTP/1.1\r\n");
  const std::string_view host_set = hop.rules != nullptr ? hop.rules->host() : std::string_view{};
  const bool has_host = !host.empty() || !host_set.empty();
  if (has_host) writer.own_field("Host", host_set.empty() ? host : host_set);
  std::string_view forwarded_for;
  const std::string_view request_id = request_id_of(head, client);
  const bool omits_underscores = head.may_have_underscores && hop.rules != nullptr && hop.rules->omits_underscores();
  bool has_forwarded_proto = false;
  bool has_forwarded_host = false;
  // Who asks is not for Connection to take away: a client's own may have come through a trusted proxy unread.
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
        writer.field(field.name, field.value);
        continue;
      case FieldId::XForwardedHost:
        if (!client.is_trusted) continue;
        has_forwarded_host = true;
        writer.field(field.name, field.value);
        continue;
      case FieldId::XRequestId:
        continue;
      default:
        break;
    }
    if (field.id == FieldId::Other &&
        ((!client.is_trusted && tells_of_client(field.name)) || (omits_underscores && has_underscore(field.name)))) {
      continue;
    }
    if (goes_on(head, field)) writer.field(field.name, field.value);
  }
  if (forwarded_for.empty()) {
    writer.field("X-Forwarded-For", client.peer);
  } else {
    writer.field("X-Forwarded-For", forwarded_for, client.peer);
  }
  if (!has_forwarded_proto) writer.field("X-Forwarded-Proto", "http");
  if (!has_forwarded_host && !host.empty()) writer.field("X-Forwarded-Host", host);
  writer.field("X-Request-ID", request_id);
  // RFC 9110 §7.6.3: a list, to which each hop adds the version that it was spoken to in; several lines are one list.
  writer.field("Via", head.version == Version::Http10 ? "1.0 lb" : "1.1 lb");
  writer.rule_lines();
  if (head.framing == Framing::Chunked) {
    writer.own_field("Transfer-Encoding", "chunked");
  } else if (head.has_content_length) {
    writer.own_field("Content-Length", head.content_length);
  }
  if (!hop.idempotency_key.empty()) writer.own_field("Idempotency-Key", hop.idempotency_key);
  if (hop.takes_trailers) writer.own_field("TE", "trailers");
  if (!hop.upgrade.empty()) {
    writer.own_field("Upgrade", hop.upgrade);
    writer.own_field("Connection", hop.takes_trailers ? "Upgrade, TE" : "Upgrade");
  } else if (hop.takes_trailers) {
    writer.own_field("Connection", "TE");
  }
  return has_host;
}

std::string_view request_id_of(const RequestHead& head, const ClientFacts& client) {
  const Field* own = client.is_trusted ? head.find(FieldId::XRequestId) : nullptr;
  return own != nullptr && !own->value.empty() ? own->value : client.request_id;
}

void begin_response_head(std::string& out, const ResponseHead& head, const ResponseAdditions& added) {
  const FieldsSaid said = write_response_fields(out, head, added.rules);
  RuledWriter writer(out, added.rules);
  if (!said.date) writer.field("Date", added.date.now());
  if (!said.request_id) writer.field("X-Request-ID", added.request_id);
  writer.rule_lines();
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

void write_interim_head(std::string& out, const ResponseHead& head, const FieldRules* rules) {
  write_response_fields(out, head, rules);
  out += kEmptyLine;
}

void write_upgrade_head(std::string& out, const ResponseHead& head, std::string_view protocol,
                        const FieldRules* rules) {
  write_response_fields(out, head, rules);
  RuledWriter writer(out, rules);
  writer.rule_lines();
  writer.own_field("Upgrade", protocol);
  writer.own_field("Connection", "Upgrade");
  out += kEmptyLine;
}

void write_trailers(std::string& out, std::span<const Field> trailers, const FieldRules& rules) {
  RuledWriter writer(out, &rules);
  for (const Field& field : trailers) {
    if (tells_of_client(field.name)) continue;  // in trailers nobody is trusted to
    if (!rules.omits_underscores() || !has_underscore(field.name)) writer.field(field.name, field.value);
  }
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
