// The RFCs' judgements about a message, as pure functions: framing, hop-by-hop, idempotence, targets.
// What llhttp lets through and we do not is refused here, and only here.
// Thread: any.
#pragma once

#include "common/http/head.h"
#include "common/result.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast {

/// True for the characters of a token (RFC 9110 §5.6.2).
bool is_token_char(char c);

/// Reads a Content-Length value (RFC 9110 §8.6): digits only; no sign, list or overflow.
Result<std::uint64_t> content_length(std::string_view value);

/// Without the blanks at its ends (OWS: RFC 9110 §5.6.3).
std::string_view trimmed(std::string_view text);

/// Judges a request whose start line and fields are set, and fills in what follows from them: host, framing,
/// keep-alive, expectation. An error is the client's doing.
Result<void> judge_request(RequestHead& head);

/// Judges a response to a request of method `method`, as judge_request(). An error is the server's doing.
Result<void> judge_response(ResponseHead& head, Method method);

/// How long the head is that `raw` begins with, where it is built of exactly the start line and these fields, one on
/// each line, every line ended by CR LF: no folded line, no bare LF, nothing between. 0 where it is not.
std::size_t bytes_of_plain_head(std::string_view raw, std::span<const Field> fields);

/// Reads `line`, a header or trailer line with its CR LF, into `field`. False where it is not exactly that: a token, a
/// colon, a value without control bytes.
bool read_field_line(std::string_view line, Field& field);

/// True where a field of this name may stand in a trailer section (RFC 9110 §6.5.1): none that is needed before the
/// body, or that could be taken for one that was judged in the head. Who forwards a message drops the others.
bool is_trailer_allowed(std::string_view name);

/// True where the head names a protocol to go on with, and its Connection names Upgrade (RFC 9110 §7.8). In HTTP/1.0
/// that means nothing.
bool asks_upgrade(const MessageHead& head);

/// Whether `target` has one of the forms of RFC 9112 §3.2 that `method` may have, without fragment and userinfo. Before
/// the query: visible ASCII, every '%' followed by two hexadecimal digits, and no escaped NUL, which would cut short
/// what a server behind us compares; ASCII that RFC 3986 wants escaped ('"<>\^`{|}') passes, since clients send it. In
/// the query: any byte but control characters and blanks.
bool is_valid_target(Method method, std::string_view target);

struct TargetParts {
  std::string_view authority;    // of an absolute-form target, else empty
  std::string_view origin_form;  // path and query; or "*"
  bool has_no_path = false;      // "/" is to be put before `origin_form`
};
/// The parts of a valid target (RFC 9112 §3.3).
TargetParts split_target(Method method, std::string_view target);

/// Why a request that begins with `raw` is no good, judged by its request line: garbage, another version, or a method
/// of which `is_known` knows nothing. Null where the line is not whole yet and may still turn out to be one of the last
/// two: who asks should wait for the rest.
std::optional<Error> explain_request_line(std::string_view raw, bool (*is_known)(std::string_view method));

/// The version at the end of a request line without its CR LF, or at the beginning of a status line: 10 and 11 for the
/// ones that we speak, 0 for another one, nothing where there is none.
std::optional<unsigned> read_version(std::string_view text);

/// A Host value (RFC 9110 §7.2): a registered name or IP literal, perhaps a port. Empty is allowed by the RFC, not
/// here.
bool is_valid_host(std::string_view host);

/// Ends here, always (RFC 9110 §7.6.1 and the fields of old that browsers and proxies still send).
bool is_hop_by_hop(FieldId id);

/// True where the Connection value `connection` names `field`.
bool connection_names(std::string_view connection, std::string_view field);
/// True where any Connection line of `head` names `field`.
bool connection_names(const MessageHead& head, std::string_view field);

/// RFC 9110 §9.2.2: repeating it does no more than doing it once.
bool is_idempotent(Method method);

/// True where no body may follow whatever the fields say (RFC 9112 §6.3 rule 1).
bool is_bodiless(Method request_method, int status);

/// The response's usual reason phrase, empty where there is none.
std::string_view reason_phrase(int status);

}  // namespace holdfast
