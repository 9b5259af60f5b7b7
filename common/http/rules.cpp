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

/// What bytes a field name has: one pass for both questions, since every name of every message is read.
struct NameBytes {
  bool is_token = false;
  bool has_underscore = false;
};
NameBytes bytes_of_name(std::string_view name) {
  constexpr unsigned kUnderscore = 1, kNoToken = 2;
  static constexpr std::array<std::uint8_t, 256> kKinds = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = kTokenChars[i] ? (i == '_' ? kUnderscore : 0) : kNoToken;
    return table;
  }();
  unsigned kinds = 0;
  for (const char c : name) kinds |= kKinds[static_cast<unsigned char>(c)];
  return {.is_token = !name.empty() && (kinds & kNoToken) == 0, .has_underscore = (kinds & kUnderscore) != 0};
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

/// Field content (RFC 9110 §5.5): HTAB, SP, visible ASCII and the obs-text that must be let pass.
bool is_field_content(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

/// Calls `visit` with each element of a comma-separated list; empty ones are passed over (RFC 9110 §5.6.1).
template <class Visit>
void each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view element = trimmed(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

/// Codings that we do not know, and then chunked: the body's end could be told, what is in it not (RFC 9112 §6.1).
bool is_coded_and_chunked(std::string_view codings) {
  constexpr std::string_view kLast = "chunked";
  if (codings.size() <= kLast.size()) return false;
  if (!equals_ignoring_case(codings.substr(codings.size() - kLast.size()), kLast)) return false;
  const std::string_view before = trimmed(codings.substr(0, codings.size() - kLast.size()));
  if (!before.ends_with(',')) return false;
  unsigned known = 0, others = 0, odd = 0;
  each_element(before, [&](std::string_view coding) {
    const std::string_view name = trimmed(coding.substr(0, coding.find(';')));
    ++(!is_token(name) ? odd : equals_ignoring_case(name, kLast) ? known : others);
  });
  return others > 0 && known == 0 && odd == 0;
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
  head.may_have_underscores = false;
  for (const Field& field : head.fields) {
    const NameBytes name = bytes_of_name(field.name);
    head.may_have_underscores = head.may_have_underscores || name.has_underscore;
    if (!name.is_token) return failure(Code::BadMessage, side, "a field name that is no token");
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
          return failure(is_coded_and_chunked(field.value) ? Code::Unsupported : Code::BadMessage, side,
                         "a transfer coding other than chunked");
        }
        break;
      case FieldId::Connection:
        each_element(field.value, [&](std::string_view option) {
          if (equals_ignoring_case(option, "close")) {
            facts.close = true;
          } else if (equals_ignoring_case(option, "keep-alive")) {
            facts.keep_alive = true;
          } else if (head.connection.empty()) {
            head.connection = field.value;
          }
        });
        head.has_more_connections = ++facts.connections > 1;
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

/// Every '%' of a path begins an escape, and no escape is a NUL: servers disagree about what else a path means.
bool is_escaped_well(std::string_view path) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  for (std::size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (path.size() - at < 3 || !is_hex(path[at + 1]) || !is_hex(path[at + 2])) return false;
    if (path[at + 1] == '0' && path[at + 2] == '0') return false;
  }
  return true;
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::size_t path_bytes(std::string_view target) { return std::min(target.find('?'), target.size()); }

/// Bytes that may stand in a target. Browsers send a query as the page wrote it, so bytes above ASCII pass there.
bool is_target_text(std::string_view target) {
  const std::size_t path_end = path_bytes(target);
  const std::string_view query = target.substr(path_end);
  return is_visible_ascii(target.substr(0, path_end)) && std::all_of(query.begin(), query.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > 0x20 && byte != 0x7f;
         });
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

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
      // Empty if the target URI has no authority (RFC 9112 §3.2).
      if (!field.value.empty() && !is_valid_host(field.value)) {
        return failure(Code::BadMessage, kClient, "bad Host");
      }
      head.host = field.value;
    } else if (field.id == FieldId::Expect) {
      if (!equals_ignoring_case(field.value, "100-continue")) {
        return failure(Code::Expectation, kClient, "an expectation other than 100-continue");
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

std::size_t bytes_of_plain_head(std::string_view raw, std::span<const Field> fields) {
  const char* const end = raw.data() + raw.size();
  const auto ends_line = [end](const char* at) { return end - at >= 2 && at[0] == '\r' && at[1] == '\n'; };
  const auto skip_blanks = [end](const char* at) {
    while (at != end && (*at == ' ' || *at == '\t')) ++at;
    return at;
  };
  const auto start_line_end = raw.find('\n');
  if (start_line_end == std::string_view::npos || start_line_end == 0) return 0;
  const char* line = raw.data() + start_line_end + 1;
  if (line[-2] != '\r') return 0;
  for (const Field& field : fields) {
    if (field.name.data() != line) return 0;
    const char* at = line + field.name.size();
    if (at == end || *at != ':') return 0;
    at = skip_blanks(at + 1);
    if (!field.value.empty() && field.value.data() != at) return 0;
    at = skip_blanks(at + field.value.size());
    if (!ends_line(at)) return 0;
    line = at + 2;
  }
  return ends_line(line) ? static_cast<std::size_t>(line + 2 - raw.data()) : 0;
}

bool read_field_line(std::string_view line, Field& field) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !line.ends_with("\r\n")) return false;
  field.name = line.substr(0, colon);
  field.value = trimmed(line.substr(colon + 1, line.size() - colon - 3));
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
         connection_names(head, "upgrade");
}

bool is_valid_target(Method method, std::string_view target) {
  if (target.empty() || !is_target_text(target)) return false;
  if (target.find('#') != std::string_view::npos) return false;  // a fragment is never sent (RFC 9112 §3.2)
  if (!is_escaped_well(target.substr(0, path_bytes(target)))) return false;
  if (target.front() == '/') return true;
  if (target == "*") return method == Method::Options;
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return false;
  const std::string_view rest = target.substr(scheme_end + 3);
  return is_valid_host(rest.substr(0, rest.find_first_of("/?")));  // no userinfo: '@' is in no host
}

TargetParts split_target(Method method, std::string_view target) {
  if (target.front() == '/' || target == "*") return {.authority = {}, .origin_form = target};
  const std::string_view rest = target.substr(target.find("://") + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  TargetParts parts{.authority = rest.substr(0, end), .origin_form = rest.substr(end)};
  if (!parts.origin_form.starts_with('/')) {
    if (method == Method::Options && parts.origin_form.empty()) {
      parts.origin_form = "*";  // RFC 9112 §3.2.4
    } else {
      parts.has_no_path = true;
    }
  }
  return parts;
}

std::optional<unsigned> read_version(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.') return std::nullopt;
  if (!is_digit(text[5]) || !is_digit(text[7]) || text.substr(5) == "0.9") return std::nullopt;  // 0.9 told no version
  if (text[5] == '1' && (text[7] == '0' || text[7] == '1')) return text[7] == '0' ? 10 : 11;
  return 0;
}

std::optional<Error> explain_request_line(std::string_view raw, bool (*is_known)(std::string_view)) {
  constexpr std::size_t kMethodMax = 32;
  const auto bad = [](Code code, std::string_view why) {
    return Error{.code = code, .side = Side::Downstream, .why = why};
  };
  const Error malformed = bad(Code::BadMessage, "not a valid HTTP/1.1 message");
  const std::size_t line_end = raw.find('\n');
  const std::string_view line = raw.substr(0, line_end);
  const std::size_t space = line.find(' ');
  const std::string_view method = line.substr(0, space);
  if (!is_token(method) || method.size() > kMethodMax) return malformed;
  if (line_end == std::string_view::npos) return std::nullopt;
  const std::size_t second = line.rfind(' ');
  if (second == space || space == std::string_view::npos || !line.ends_with('\r')) return malformed;
  if (!is_target_text(line.substr(space + 1, second - space - 1))) return malformed;
  const auto version = read_version(line.substr(second + 1, line.size() - second - 2));
  if (!version) return malformed;
  if (*version == 0) return bad(Code::OtherVersion, "an HTTP version other than 1.0 and 1.1");
  if (!is_known(method)) return bad(Code::Unsupported, "a method that is not known here");
  return malformed;
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
  if (port.front() != ':' || !is_digits(port.substr(1))) return false;
  unsigned number = 0;  // no digits at all are allowed (RFC 3986 §3.2.3)
  std::from_chars(port.data() + 1, port.data() + port.size(), number);
  return port.size() <= 6 && number <= 65535;
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

bool connection_names(const MessageHead& head, std::string_view field) {
  if (head.connection.empty()) return false;
  if (connection_names(head.connection, field)) return true;
  return head.has_more_connections && std::any_of(head.fields.begin(), head.fields.end(), [field](const Field& line) {
           return line.id == FieldId::Connection && connection_names(line.value, field);
         });
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
