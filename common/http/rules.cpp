#include "common/http/rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace holdfast {
namespace {

constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

/// Field content (RFC 9110 §5.5): HTAB, SP, visible ASCII and the obs-text that must be let pass.
bool is_field_content(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls `visit` with each element of a comma-separated list; empty ones are passed over (RFC 9110 §5.6.1).
template <class Visit>
void each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

/// What the fields of either kind of message say about framing and the connection.
struct Facts {
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  unsigned connections = 0;
  bool close = false;
  bool keep_alive = false;
};

Result<Facts> read_facts(MessageHead& head, Side side) {
  Facts facts;
  for (const Field& field : head.fields) {
    if (!is_token(field.name)) return failure(Code::BadMessage, side, "a field name that is no token");
    if (!is_field_content(field.value)) return failure(Code::BadMessage, side, "a control byte in a field value");
    switch (field.id) {
      case FieldId::ContentLength: {
        const auto length = content_length(field.value);
        if (!length) return failure(Code::BadMessage, side, length.error().why);
        if (++facts.content_lengths > 1) return failure(Code::BadMessage, side, "Content-Length given twice");
        head.content_length = *length;
        head.has_content_length = true;
        break;
      }
      case FieldId::TransferEncoding:
        if (++facts.transfer_encodings > 1) return failure(Code::BadMessage, side, "Transfer-Encoding given twice");
        if (!equals_ignoring_case(field.value, "chunked")) {
          return failure(Code::BadMessage, side, "a transfer coding other than chunked");
        }
        break;
      case FieldId::Connection:
        each_element(field.value, [&](std::string_view option) {
          if (equals_ignoring_case(option, "close")) {
            facts.close = true;
          } else if (equals_ignoring_case(option, "keep-alive")) {
            facts.keep_alive = true;
          } else {
            head.connection = field.value;
          }
        });
        if (++facts.connections > 1 && !head.connection.empty()) {
          // One view names them all; several lines would need several. Nobody sends that but to confuse.
          return failure(Code::BadMessage, side, "Connection given twice");
        }
        break;
      default:
        break;
    }
  }
  if (facts.transfer_encodings > 0 && facts.content_lengths > 0) {
    return failure(Code::BadMessage, side, "both Content-Length and Transfer-Encoding");
  }
  if (facts.transfer_encodings > 0 && head.version == Version::Http10) {
    return failure(Code::BadMessage, side, "Transfer-Encoding in HTTP/1.0");
  }
  head.keep_alive = !facts.close && (head.version == Version::Http11 || facts.keep_alive);
  return facts;
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Result<std::uint64_t> content_length(std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), length);
  // 2^63 and more cannot be a real length, and would overflow the sums of others.
  if (problem == std::errc{} && end == value.data() + value.size() && length < (std::uint64_t{1} << 63)) return length;
  return failure(Code::BadMessage, Side::Downstream, "bad Content-Length");
}

Result<void> judge_request(RequestHead& head) {
  constexpr Side kClient = Side::Downstream;
  if (head.method == Method::Connect) return failure(Code::Unsupported, kClient, "CONNECT is not served here");
  if (!is_valid_target(head.method, head.target)) return failure(Code::BadMessage, kClient, "bad request target");
  unsigned hosts = 0;
  for (const Field& field : head.fields) {
    if (field.id == FieldId::Host) {
      if (++hosts > 1) return failure(Code::BadMessage, kClient, "Host given twice");
      if (!is_valid_host(field.value)) return failure(Code::BadMessage, kClient, "bad Host");
      head.host = field.value;
    } else if (field.id == FieldId::Expect) {
      if (!equals_ignoring_case(field.value, "100-continue")) {
        return failure(Code::Unsupported, kClient, "an expectation other than 100-continue");
      }
      head.expects_continue = head.version == Version::Http11;
    }
  }
  if (hosts == 0 && head.version == Version::Http11) return failure(Code::BadMessage, kClient, "no Host");
  const auto facts = read_facts(head, kClient);
  if (!facts) return tl::unexpected(facts.error());
  head.framing = facts->transfer_encodings > 0 ? Framing::Chunked
                 : head.content_length > 0     ? Framing::Length
                                               : Framing::None;
  return {};
}

Result<void> judge_response(ResponseHead& head, Method method) {
  constexpr Side kServer = Side::Upstream;
  if (head.status < 100 || head.status > 599) return failure(Code::BadMessage, kServer, "no such status");
  if (!is_field_content(head.reason)) return failure(Code::BadMessage, kServer, "a control byte in the reason phrase");
  const auto facts = read_facts(head, kServer);
  if (!facts) return tl::unexpected(facts.error());
  if (is_bodiless(method, head.status)) {
    head.framing = Framing::None;
  } else if (facts->transfer_encodings > 0) {
    head.framing = Framing::Chunked;
  } else if (facts->content_lengths > 0) {
    head.framing = head.content_length > 0 ? Framing::Length : Framing::None;
  } else {
    head.framing = Framing::UntilClose;
    head.keep_alive = false;
  }
  return {};
}

bool is_one_field_a_line(std::string_view raw, std::span<const Field> fields) {
  const char* const end = raw.data() + raw.size();
  const auto ends_line = [end](const char* at) { return end - at >= 2 && at[0] == '\r' && at[1] == '\n'; };
  const auto skip_blanks = [end](const char* at) {
    while (at != end && (*at == ' ' || *at == '\t')) ++at;
    return at;
  };
  const auto start_line_end = raw.find('\n');
  if (start_line_end == std::string_view::npos || start_line_end == 0) return false;
  const char* line = raw.data() + start_line_end + 1;
  if (line[-2] != '\r') return false;
  for (const Field& field : fields) {
    if (field.name.data() != line) return false;
    const char* at = line + field.name.size();
    if (at == end || *at != ':') return false;
    at = skip_blanks(at + 1);
    if (!field.value.empty() && field.value.data() != at) return false;
    at = skip_blanks(at + field.value.size());
    if (!ends_line(at)) return false;
    line = at + 2;
  }
  return ends_line(line);
}

bool read_field_line(std::string_view line, Field& field) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !line.ends_with("\r\n")) return false;
  field.name = line.substr(0, colon);
  field.value = trim(line.substr(colon + 1, line.size() - colon - 3));
  field.id = field_id(field.name);
  return is_token(field.name) && is_field_content(field.value);
}

bool is_trailer_allowed(std::string_view name) {
  // Framing, routing, authentication, request modifiers, response controls, caching, content format; and what proxies
  // say of a request. Whole families by their first letters.
  static constexpr std::array<std::string_view, 36> kNever{"accept-ranges",
                                                           "age",
                                                           "alt-svc",
                                                           "authentication-info",
                                                           "authorization",
                                                           "cache-control",
                                                           "connection",
                                                           "cookie",
                                                           "date",
                                                           "expect",
                                                           "expires",
                                                           "forwarded",
                                                           "host",
                                                           "http2-settings",
                                                           "idempotency-key",
                                                           "keep-alive",
                                                           "lb-drain",
                                                           "location",
                                                           "max-forwards",
                                                           "origin",
                                                           "pragma",
                                                           "range",
                                                           "referer",
                                                           "retry-after",
                                                           "set-cookie",
                                                           "strict-transport-security",
                                                           "te",
                                                           "trailer",
                                                           "transfer-encoding",
                                                           "upgrade",
                                                           "vary",
                                                           "via",
                                                           "warning",
                                                           "www-authenticate",
                                                           "x-real-ip",
                                                           "x-request-id"};
  static constexpr std::array<std::string_view, 8> kNeverBegin{
      "access-control-", "content-", "if-", "proxy-", "sec-", "x-accel-", "x-forwarded-", "x-http-method"};
  const auto is_name = [name](std::string_view never) { return equals_ignoring_case(name, never); };
  const auto begins_name = [name](std::string_view never) {
    return equals_ignoring_case(name.substr(0, never.size()), never);
  };
  if (is_name("content-digest")) return true;  // made to stand here (RFC 9530 §2)
  return std::none_of(kNever.begin(), kNever.end(), is_name) &&
         std::none_of(kNeverBegin.begin(), kNeverBegin.end(), begins_name);
}

bool asks_upgrade(const MessageHead& head) {
  const Field* upgrade = head.find(FieldId::Upgrade);
  return upgrade != nullptr && !upgrade->value.empty() && head.version == Version::Http11 &&
         connection_names(head.connection, "upgrade");
}

bool is_valid_target(Method method, std::string_view target) {
  if (target.empty() || !is_visible_ascii(target)) return false;
  if (target.find('#') != std::string_view::npos) return false;  // a fragment is never sent (RFC 9112 §3.2)
  if (target.front() == '/') return true;
  if (target == "*") return method == Method::Options;
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return false;
  const std::string_view rest = target.substr(scheme_end + 3);
  return is_valid_host(rest.substr(0, rest.find_first_of("/?")));  // no userinfo: '@' is in no host
}

bool is_valid_host(std::string_view host) {
  const auto is_digits = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  std::string_view name = host;
  std::string_view port;
  if (!host.empty() && host.front() == '[') {
    const auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    name = host.substr(1, close - 1);
    port = host.substr(close + 1);
    if (name.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
  } else {
    const auto colon = host.find(':');
    name = host.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : host.substr(colon);
    const auto is_name_char = [](char c) {
      return kTokenChars[static_cast<unsigned char>(c)] && c != '#' && c != '^' && c != '`' && c != '|';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char)) return false;
  }
  if (port.empty()) return true;
  return port.front() == ':' && port.size() <= 6 && is_digits(port.substr(1));
}

bool is_hop_by_hop(FieldId id) {
  switch (id) {
    case FieldId::Connection:
    case FieldId::KeepAlive:
    case FieldId::ProxyConnection:
    case FieldId::Te:
    case FieldId::Trailer:
    case FieldId::TransferEncoding:
    case FieldId::Upgrade:
      return true;
    default:
      return false;
  }
}

bool connection_names(std::string_view connection, std::string_view field) {
  bool named = false;
  each_element(connection, [&](std::string_view option) { named = named || equals_ignoring_case(option, field); });
  return named;
}

bool is_idempotent(Method method) {
  switch (method) {
    case Method::Get:
    case Method::Head:
    case Method::Put:
    case Method::Delete:
    case Method::Options:
    case Method::Trace:
      return true;
    case Method::Post:
    case Method::Patch:
    case Method::Connect:
    case Method::Other:
      return false;
  }
  return false;
}

bool is_bodiless(Method request_method, int status) {
  return request_method == Method::Head || status < 200 || status == 204 || status == 304;
}

std::string_view reason_phrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 39> kPhrases{{
      {100, "Continue"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {425, "Too Early"},
      {428, "Precondition Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return {};
}

}  // namespace holdfast
