// Request and response heads: views of a received message, with what the rules made of them.
// A head's views live as long as the call that gave it; who keeps something copies it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast {

/// More fields than this are never read, whatever the configuration says.
inline constexpr std::size_t kFieldsMax = 256;

/// The methods of RFC 9110 §9 and RFC 5789. The parser refuses others.
enum class Method : std::uint8_t { Get, Head, Post, Put, Delete, Connect, Options, Trace, Patch, Other };

/// Fields that a proxy or server has to look at; all others are Other and pass through.
enum class FieldId : std::uint8_t {
  Other,
  Connection,
  ContentLength,
  Expect,
  Host,
  IdempotencyKey,
  KeepAlive,
  LbDrain,
  ProxyConnection,
  RetryAfter,
  Te,
  Trailer,
  TransferEncoding,
  Upgrade,
  XAccelBuffering,
  XForwardedFor,
  XForwardedHost,
  XForwardedProto,
  XRequestId,
  ContentType,
};

struct Field {
  std::string_view name;
  std::string_view value;  // without blanks at its ends
  FieldId id = FieldId::Other;
};

/// How the end of a body is told (RFC 9112 §6.3).
enum class Framing : std::uint8_t { None, Length, Chunked, UntilClose };

/// The protocol version; only these two are spoken.
enum class Version : std::uint8_t { Http10, Http11 };

/// What both kinds of head share.
struct MessageHead {
  Version version = Version::Http11;
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;  // with Framing::Length; for a response without body, what it said
  bool has_content_length = false;
  bool keep_alive = true;            // the sender is willing to go on after this message
  bool may_have_underscores = true;  // in names of fields; false once the rules found none
  std::span<const Field> fields;
  std::string_view connection;        // the first Connection value that names other fields, else empty
  bool has_more_connections = false;  // there are others, see connection_names() of common/http/rules

  /// The first field with this id or name (names compare without case); null where there is none.
  const Field* find(FieldId id) const;
  const Field* find(std::string_view name) const;
};

struct RequestHead : MessageHead {
  Method method = Method::Get;
  std::string_view method_text;
  std::string_view target;  // as sent, one of the forms of RFC 9112 §3.2
  std::string_view host;
  bool expects_continue = false;
};

struct ResponseHead : MessageHead {
  int status = 0;
  std::string_view reason;
};

FieldId field_id(std::string_view name);
Method method_from(std::string_view text);
std::string_view method_name(Method method);

/// ASCII without case, as field names and tokens compare.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace holdfast
