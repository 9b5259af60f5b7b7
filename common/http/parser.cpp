#include "common/http/parser.h"

#include "common/assert.h"
#include "common/http/rules.h"
#include "common/memory/release.h"

#include <algorithm>

// In loose mode llhttp takes bytes that a server behind us may read in another way.
static_assert(LLHTTP_STRICT_MODE == 1, "llhttp and its includers are compiled with LLHTTP_STRICT_MODE=1");

namespace holdfast {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_above_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The methods of HTTP that llhttp knows; it knows those of other protocols as well.
bool is_known_method(std::string_view method) {
  static constexpr std::string_view kKnown[] = {
#define HOLDFAST_METHOD(number, name, text) #text,
      HTTP_METHOD_MAP(HOLDFAST_METHOD)
#undef HOLDFAST_METHOD
  };
  return std::find(std::begin(kKnown), std::end(kKnown), method) != std::end(kKnown);
}

/// True where a head may end in `bytes`, judged with the few bytes that came before.
bool may_end_head(std::string_view before, std::string_view bytes) {
  const std::size_t overlap = std::min<std::size_t>(before.size(), 3);
  char joint[6];
  std::size_t joint_bytes = before.copy(joint, overlap, before.size() - overlap);
  joint_bytes += bytes.copy(joint + joint_bytes, 3);
  const auto has_end = [](std::string_view text) {
    return text.find("\n\r\n") != std::string_view::npos || text.find("\n\n") != std::string_view::npos;
  };
  return has_end({joint, joint_bytes}) || has_end(bytes);
}

}  // namespace

MessageParser::MessageParser(llhttp_type_t type, const ParserLimits& limits, HeadScratch& scratch)
    : limits_(limits), scratch_(scratch) {
  limits_.fields = std::min(limits_.fields, kFieldsMax);
  llhttp_init(&parser_, type, &settings());
  parser_.data = this;
}

Side MessageParser::peer() const { return parser_.type == HTTP_REQUEST ? Side::Downstream : Side::Upstream; }

void MessageParser::start_message() {
  llhttp_reset(&parser_);
  phase_ = Phase::Head;
  field_count_ = trailer_line_ = trailer_count_ = trailer_bytes_ = 0;
  is_doubtful_ = false;
  name_ = start_line_ = {};
  value_begin_ = nullptr;
  value_bytes_ = 0;
}

Result<std::size_t> MessageParser::parse(std::span<const char> bytes) {
  const std::string_view fresh(bytes.data(), bytes.size());
  if (phase_ == Phase::Ended) {
    start_message();
    empty_lines_ = 0;
  }
  if (phase_ == Phase::Body) return execute(fresh);
  if (phase_ == Phase::Chunks) return read_chunks(fresh);
  if (phase_ == Phase::Trailers) return read_trailers(fresh);

  // In the head: llhttp is given the whole of it at one go, from its first byte, so that all views are of one
  // buffer. It is asked twice at most before the last time: first with what came first, to refuse rubbish early.
  const std::size_t held = partial_.size();
  const bool is_line_break = !fresh.empty() && (fresh.front() == '\r' || fresh.front() == '\n');
  if (held == 0 ? is_line_break : held == 1 && partial_ == "\r") return skip_empty_lines(fresh);
  if (held > 0) {
    const bool may_end = is_doubtful_ || may_end_head(partial_, fresh);
    partial_.append(fresh);
    if (!may_end) {
      if (partial_.size() <= limits_.head_bytes) return fresh.size();
      const bool in_start_line = partial_.find('\n') == std::string::npos;
      return in_start_line && parser_.type == HTTP_REQUEST
                 ? failure(Code::TargetTooLong, peer(), "the request target is too long")
                 : failure(Code::HeadTooLarge, peer(), "the head is too large");
    }
    start_message();
  }
  std::string_view input = held > 0 ? std::string_view(partial_) : fresh;
  auto used = execute(input);
  if (!used && is_query_refused(input)) {
    input = hold(input);
    used = execute_again();
  }
  if (!used && is_tab_behind_length(input)) {
    const auto tab = static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - input.data());
    input = hold(input);
    for (std::size_t at = tab; at < partial_.size() && is_blank(partial_[at]); ++at) partial_[at] = ' ';
    used = execute_again();
  }
  if (!used) {
    if (phase_ != Phase::Head || parser_.type != HTTP_REQUEST || !error_.why.empty()) return used;
    const auto why = explain_request_line(input, is_known_method);
    if (why) return tl::unexpected(*why);
    is_doubtful_ = true;
    if (input.size() > limits_.target_bytes)
      return failure(Code::TargetTooLong, peer(), "the request target is too long");
    if (held == 0) partial_.assign(fresh);
    return fresh.size();
  }
  if (phase_ == Phase::Head) {  // not whole yet: all of it was looked at, and all of it is kept
    if (input.size() > limits_.head_bytes) return failure(Code::HeadTooLarge, peer(), "the head is too large");
    if (held == 0) partial_.assign(fresh);
    return fresh.size();
  }
  release(partial_);  // an idle connection holds no buffer
  return *used - held;
}

/// `input`, in partial_.
std::string_view MessageParser::hold(std::string_view input) {
  if (input.data() != partial_.data()) partial_.assign(input);
  return partial_;
}

/// Reads partial_ from its first byte. A query's bytes above ASCII are hidden from llhttp, which refuses them, until it
/// has passed them: on_url() puts them back.
Result<std::size_t> MessageParser::execute_again() {
  start_message();
  if (parser_.type == HTTP_REQUEST) {
    const auto line_end =
        partial_.begin() + static_cast<std::ptrdiff_t>(std::min(partial_.find('\n'), partial_.size()));
    const auto query = std::find(partial_.begin(), line_end, '?');
    const auto query_end = std::find(query, line_end, ' ');
    hidden_.assign(query, query_end);
    hidden_at_ = static_cast<std::size_t>(query - partial_.begin());
    std::replace_if(query, query_end, is_above_ascii, 'x');
  }
  const auto used = execute(partial_);
  show_hidden();
  return used;
}

void MessageParser::show_hidden() {
  if (hidden_.empty()) return;
  hidden_.copy(partial_.data() + hidden_at_, hidden_.size());
  release(hidden_);
}

/// llhttp takes no byte above ASCII in a target.
bool MessageParser::is_query_refused(std::string_view input) const {
  if (llhttp_get_errno(&parser_) != HPE_INVALID_URL) return false;
  const std::string_view line = input.substr(0, input.find('\n'));
  const char* const at = llhttp_get_error_pos(&parser_);
  const auto query = line.find('?');
  return query != std::string_view::npos && at > line.data() + query && at < line.data() + line.size() &&
         is_above_ascii(*at);
}

/// llhttp 8.1 takes blanks behind a Content-Length, but no tab, which means the same (RFC 9110 §5.5).
bool MessageParser::is_tab_behind_length(std::string_view input) const {
  if (llhttp_get_errno(&parser_) != HPE_INVALID_CONTENT_LENGTH) return false;
  const char* const at = llhttp_get_error_pos(&parser_);
  return at >= input.data() && at < input.data() + input.size() && *at == '\t';
}

/// Empty lines before a request are passed over (RFC 9112 §2.2), a few of them; before a response there are none.
Result<std::size_t> MessageParser::skip_empty_lines(std::string_view bytes) {
  constexpr std::size_t kEmptyLinesMax = 4;
  const bool has_begun = !partial_.empty();
  if (parser_.type == HTTP_RESPONSE || bytes.front() != (has_begun ? '\n' : '\r') || empty_lines_ == kEmptyLinesMax) {
    return failure(Code::BadMessage, peer(), "line breaks before the message");
  }
  if (has_begun) {
    partial_.clear();
    ++empty_lines_;
  } else {
    partial_ = "\r";
  }
  return 1;
}

Result<std::size_t> MessageParser::execute(std::string_view bytes) {
  input_ = bytes;
  const llhttp_errno_t outcome = llhttp_execute(&parser_, bytes.data(), bytes.size());
  switch (outcome) {
    case HPE_OK:
      return bytes.size();
    case HPE_PAUSED: {  // by on_message_complete, or before the chunks by on_head_complete
      if (phase_ != Phase::Chunks) return static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - bytes.data());
      const auto more = read_chunks(bytes.substr(head_bytes_));
      return more ? Result<std::size_t>(head_bytes_ + *more) : more;
    }
    default:
      // A callback of ours says why by itself; what code llhttp makes of its refusal depends on the callback.
      if (!error_.why.empty()) return tl::unexpected(error_);
      return failure(Code::BadMessage, peer(), "not a valid HTTP/1.1 message");
  }
}

Result<std::size_t> MessageParser::read_chunks(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    const auto piece = chunks_.read(bytes.substr(used));
    if (!piece) return failure(Code::BadMessage, peer(), piece.error().why);
    used += piece->used;
    if (!piece->data.empty()) body(piece->data);
    if (piece->is_last) {
      phase_ = Phase::Trailers;
      const auto more = read_trailers(bytes.substr(used));
      return more ? Result<std::size_t>(used + *more) : more;
    }
  }
  return used;
}

/// Trailers are read here and not by llhttp: it says in pieces what a read splits, and cannot be asked again as for a
/// head, since the body before them is gone; and a folded line could not be told from a split one.
Result<std::size_t> MessageParser::read_trailers(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    const std::size_t line_end = bytes.find('\n', used);
    const std::string_view piece =
        bytes.substr(used, line_end == std::string_view::npos ? line_end : line_end + 1 - used);
    used += piece.size();
    if (piece == "\r\n" && trailers_.empty()) {  // as nearly always
      end_trailers();
      break;
    }
    trailers_ += piece;
    trailer_bytes_ += piece.size();
    if (trailer_bytes_ > limits_.head_bytes) return failure(Code::HeadTooLarge, peer(), "the trailers are too large");
    if (line_end == std::string_view::npos) break;
    const std::string_view line = std::string_view(trailers_).substr(trailer_line_);
    if (line == "\r\n") {
      trailers_.resize(trailer_line_);
      end_trailers();
      break;
    }
    Field field;
    if (!read_field_line(line, field)) return failure(Code::BadMessage, peer(), "a malformed trailer line");
    if (++trailer_count_ > limits_.fields) return failure(Code::HeadTooLarge, peer(), "too many trailer fields");
    if (!is_trailer_allowed(field.name)) trailers_.resize(trailer_line_);
    trailer_line_ = trailers_.size();
  }
  return used;
}

void MessageParser::end_trailers() {
  field_count_ = 0;
  std::string_view rest = trailers_;
  while (!rest.empty()) {
    const std::size_t line_bytes = rest.find('\n') + 1;
    read_field_line(rest.substr(0, line_bytes), scratch_.fields[field_count_++]);
    rest.remove_prefix(line_bytes);
  }
  phase_ = Phase::Ended;
  message_complete(fields());
  release(trailers_);
}

bool MessageParser::finish() {
  if (phase_ != Phase::Body || llhttp_message_needs_eof(&parser_) == 0) return false;
  phase_ = Phase::Ended;
  message_complete({});
  return true;
}

int MessageParser::fail(Code code, std::string_view why) {
  error_ = Error{.code = code, .side = peer(), .why = why};
  return -1;
}

int MessageParser::on_url(llhttp_t* llhttp, const char* at, std::size_t length) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  self.show_hidden();
  self.start_line_ = {at, length};
  if (length > self.limits_.target_bytes) return self.fail(Code::TargetTooLong, "the request target is too long");
  return 0;
}

int MessageParser::on_status(llhttp_t* llhttp, const char* at, std::size_t length) {
  static_cast<MessageParser*>(llhttp->data)->start_line_ = {at, length};
  return 0;
}

int MessageParser::on_field_name(llhttp_t* llhttp, const char* at, std::size_t length) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  self.name_ = {at, length};
  return 0;
}

int MessageParser::on_field_value(llhttp_t* llhttp, const char* at, std::size_t length) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  if (self.value_begin_ == nullptr) self.value_begin_ = at;
  self.value_bytes_ += length;
  return 0;
}

int MessageParser::on_field_complete(llhttp_t* llhttp) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  const std::string_view value =
      self.value_begin_ == nullptr ? std::string_view{} : std::string_view{self.value_begin_, self.value_bytes_};
  self.value_begin_ = nullptr;
  self.value_bytes_ = 0;
  if (self.field_count_ >= self.limits_.fields) return self.fail(Code::HeadTooLarge, "too many fields");
  Field& field = self.scratch_.fields[self.field_count_++];
  field.name = self.name_;
  field.value = trim_right(value);
  field.id = field_id(field.name);
  return 0;
}

int MessageParser::on_head_complete(llhttp_t* llhttp) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  llhttp->upgrade = 0;  // what follows is HTTP until a 101 that was asked for
  const char* const head_begin = self.input_.data();
  const char* const input_end = head_begin + self.input_.size();
  const auto fields = self.fields();
  const std::string_view last = fields.empty()                ? self.start_line_
                                : fields.back().value.empty() ? fields.back().name
                                                              : fields.back().value;
  if (last.data() != nullptr &&
      static_cast<std::size_t>(last.data() + last.size() - head_begin) > self.limits_.head_bytes) {
    return self.fail(Code::HeadTooLarge, "the head is too large");
  }
  self.head_bytes_ = bytes_of_plain_head({head_begin, static_cast<std::size_t>(input_end - head_begin)}, fields);
  if (self.head_bytes_ == 0) {
    return self.fail(Code::BadMessage, "a folded or misplaced header line");
  }
  // llhttp takes RTSP and ICE as well, and lines without a version; and several blanks.
  const std::string_view line = self.input_.substr(0, self.input_.find('\r'));
  const bool is_request = llhttp->type == HTTP_REQUEST;
  const auto version =
      read_version(is_request ? line.substr(line.size() - std::min<std::size_t>(line.size(), 8)) : line.substr(0, 8));
  const std::size_t method_bytes =
      is_request ? std::string_view(llhttp_method_name(static_cast<llhttp_method_t>(llhttp->method))).size() : 0;
  // One blank on each side of the target: of more, who knows what a server behind us makes.
  if (!version || (is_request && line.size() != method_bytes + 1 + self.start_line_.size() + 1 + 8)) {
    return self.fail(Code::BadMessage, "not a valid HTTP/1.1 message");
  }
  if (*version == 0) return self.fail(Code::OtherVersion, "an HTTP version other than 1.0 and 1.1");
  const auto framing = self.head_complete();
  if (!framing) {
    self.error_ = framing.error();
    return -1;
  }
  if (*framing == Framing::Chunked) {
    self.phase_ = Phase::Chunks;
    self.chunks_.start();
    return HPE_PAUSED;
  }
  self.phase_ = Phase::Body;
  return *framing == Framing::None ? 1 : 0;  // 1: no body, whatever the fields say
}

int MessageParser::on_body_bytes(llhttp_t* llhttp, const char* at, std::size_t length) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  self.body({at, length});
  return 0;
}

int MessageParser::on_message_complete(llhttp_t* llhttp) {
  auto& self = *static_cast<MessageParser*>(llhttp->data);
  self.phase_ = Phase::Ended;
  self.message_complete({});
  return HPE_PAUSED;
}

const llhttp_settings_t& MessageParser::settings() {
  static const llhttp_settings_t all = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = on_url;
    made.on_status = on_status;
    made.on_header_field = on_field_name;
    made.on_header_value = on_field_value;
    made.on_header_value_complete = on_field_complete;
    made.on_headers_complete = on_head_complete;
    made.on_body = on_body_bytes;
    made.on_message_complete = on_message_complete;
    return made;
  }();
  return all;
}

RequestParser::RequestParser(const ParserLimits& limits, HeadScratch& scratch, RequestSink& sink)
    : MessageParser(HTTP_REQUEST, limits, scratch), sink_(sink) {}

Result<Framing> RequestParser::head_complete() {
  RequestHead head;
  head.version = parser_.http_minor == 0 ? Version::Http10 : Version::Http11;
  head.method_text = llhttp_method_name(static_cast<llhttp_method_t>(parser_.method));
  head.method = method_from(head.method_text);
  head.target = start_line_;
  head.fields = fields();
  if (const auto judged = judge_request(head); !judged) return tl::unexpected(judged.error());
  sink_.on_request_head(head);
  return head.framing;
}

ResponseParser::ResponseParser(const ParserLimits& limits, HeadScratch& scratch, ResponseSink& sink)
    : MessageParser(HTTP_RESPONSE, limits, scratch), sink_(sink) {}

Result<std::size_t> ResponseParser::parse(std::span<const char> bytes) {
  HF_ASSERT(!is_upgraded_);
  std::size_t used = 0;
  do {
    is_interim_ = false;
    const auto more = MessageParser::parse(bytes.subspan(used));
    if (!more) return more;
    used += *more;
  } while (is_interim_ && used < bytes.size());
  return used;
}

Result<Framing> ResponseParser::head_complete() {
  ResponseHead head;
  head.version = parser_.http_minor == 0 ? Version::Http10 : Version::Http11;
  head.status = parser_.status_code;
  head.reason = start_line_;
  head.fields = fields();
  if (const auto judged = judge_response(head, method_); !judged) return tl::unexpected(judged.error());
  if (head.status == 101) {
    if (!is_upgrade_asked_) return failure(Code::BadMessage, Side::Upstream, "a 101 that nobody asked for");
    if (!asks_upgrade(head)) return failure(Code::BadMessage, Side::Upstream, "a 101 that does not say to what");
    is_upgraded_ = true;
    sink_.on_response_upgrade(head);
    return Framing::None;
  }
  is_interim_ = head.status < 200;
  if (is_interim_) {
    constexpr unsigned kInterimMax = 32;
    if (++interim_count_ > kInterimMax) return failure(Code::BadMessage, Side::Upstream, "too many interim responses");
    sink_.on_response_interim(head);
  } else {
    sink_.on_response_head(head);
  }
  return head.framing;
}

void ResponseParser::message_complete(std::span<const Field> trailers) {
  if (!is_interim_ && !is_upgraded_) sink_.on_response_end(trailers);
}

}  // namespace holdfast
