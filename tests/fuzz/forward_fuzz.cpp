// What lb sends on of a head that it accepted is read again as the same message: no byte of a client or server makes
// another message of it, and nothing that ends here goes on.
#include "common/http/parser.h"
#include "common/http/rules.h"
#include "lb/exchange/forward.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;  // lower-case name, value

void require(bool holds) {
  if (!holds) std::abort();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The lines of `head`, told apart by hand: this is what judges lb's own code.
Fields lines_of(std::string_view head) {
  Fields fields;
  for (std::size_t at = head.find("\r\n") + 2; head.substr(at, 2) != "\r\n";) {
    const std::size_t end = head.find("\r\n", at);
    require(end != std::string_view::npos);
    const std::string_view line = head.substr(at, end - at);
    const std::size_t colon = line.find(':');
    require(colon != std::string_view::npos && line.find_first_of("\r\n") == std::string_view::npos);
    fields.emplace_back(lower_case(line.substr(0, colon)), trim(line.substr(colon + 1)));
    at = end + 2;
  }
  return fields;
}

std::size_t count(const Fields& fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [name](const auto& field) { return field.first == name; }));
}

std::string value_of(const Fields& fields, std::string_view name) {
  for (const auto& [known, value] : fields) {
    if (known == name) return value;
  }
  return {};
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_hop_by_hop_name(std::string_view name) {
  return is_one_of(name,
                   {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"});
}

/// What proxies say of their clients, in lower case; CGI takes `_` for `-`.
bool tells_of_client(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name.starts_with("x-forwarded") || is_one_of(name, {"forwarded", "x-real-ip", "x-request-id"});
}

/// The fields of `fields` that concern both ends, without those that lb answers for by itself.
Fields end_to_end(const Fields& fields, bool is_request) {
  std::vector<std::string> named;
  for (const auto& [name, value] : fields) {
    if (name != "connection") continue;
    for (std::size_t at = 0; at <= value.size();) {
      const std::size_t comma = std::min(value.find(',', at), value.size());
      named.push_back(lower_case(trim(std::string_view(value).substr(at, comma - at))));
      at = comma + 1;
    }
  }
  Fields kept;
  for (const auto& field : fields) {
    const std::string& name = field.first;
    if (is_hop_by_hop_name(name) || name == "content-length" || name == "close") continue;  // "close" names no field
    if (is_request && (is_one_of(name, {"host", "expect", "x-request-id", "via"}) || tells_of_client(name))) {
      continue;
    }
    if (!is_request && is_one_of(name, {"lb-drain", "via", "date", "x-request-id"})) continue;
    // Not to be named away: what a request is for, and the key that a retry rests on.
    const bool is_fixed = name == "host" || name == "idempotency-key";
    if (is_fixed || std::find(named.begin(), named.end(), name) == named.end()) kept.push_back(field);
  }
  return kept;
}

/// Some of every kind; what they touch is what a client would like to smuggle.
const FieldRules& rules() {
  static const FieldRules kRules = [] {
    FieldRules made(FieldRules::Side::Request);
    require(!made.set("X-Set", "rule") && !made.set("Host", "rule.example") && !made.add("X-Add", "rule"));
    require(!made.remove("Cookie") && !made.remove("X-Forwarded-For"));
    return made;
  }();
  return kRules;
}

struct ReadHead {
  std::string method, target, host;
  int status = 0;
  std::string reason;
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  bool keep_alive = false;
  Fields fields;
};

/// What a parser made of the first head that it was given.
struct Read final : RequestSink, ResponseSink {
  std::optional<ReadHead> head;
  std::string sent_on;        // by lb, where `client` is set or the head is a response
  std::string sent_by_rules;  // likewise, where `client` is set
  const ClientFacts* client = nullptr;
  HopFacts hop;
  ResponseFraming framing;
  bool is_written = false;

  void on_request_head(const RequestHead& read) override {
    if (head) return;
    take(read);
    head->method = read.method_text;
    head->target = read.target;
    head->host = read.host;
    if (client == nullptr) return;
    static const std::vector<std::string> kProtocols{"websocket"};
    hop.upgrade = wanted_upgrade(read, kProtocols);
    is_upgrade_ = !hop.upgrade.empty();
    hop.takes_trailers = takes_trailers(read);
    write_request_head(sent_on, read, *client, hop);
    sent_on += "\r\n";
    hop.rules = &rules();
    write_request_head(sent_by_rules, read, *client, hop);
    sent_by_rules += "\r\n";
  }
  void on_response_head(const ResponseHead& read) override {
    if (head) return;
    take(read);
    head->status = read.status;
    head->reason = read.reason;
    if (!is_written) return;
    framing.framing = read.framing == Framing::UntilClose ? Framing::Chunked : read.framing;
    framing.content_length = read.content_length;
    framing.has_content_length = read.has_content_length && read.status != 204;
    DateField date;
    const ResponseAdditions added{.date = date, .request_id = "made"};
    begin_response_head(sent_on, read, added);
    finish_response_head(sent_on, framing);
  }
  void on_response_interim(const ResponseHead& read) override {
    if (!is_written || head) return;
    std::string out;
    write_interim_head(out, read);
    Fields before;
    for (const Field& field : read.fields) before.emplace_back(lower_case(field.name), field.value);
    const Fields lines = lines_of(out);
    require(end_to_end(lines, false) == end_to_end(before, false));
    for (const auto& [name, value] : lines) require(!is_hop_by_hop_name(name) && name != "content-length");
    require(out.find("\r\n\r\n") == out.size() - 4);
  }
  void on_request_body(std::string_view) override {}
  void on_request_end(std::span<const Field>) override {}
  void on_response_upgrade(const ResponseHead&) override {}
  void on_response_body(std::string_view) override {}
  void on_response_end(std::span<const Field>) override {}

  bool is_upgrade() const { return is_upgrade_; }

 private:
  void take(const MessageHead& read) {
    head.emplace();
    head->framing = read.framing;
    head->content_length = read.content_length;
    head->has_content_length = read.has_content_length;
    head->keep_alive = read.keep_alive;
    for (const Field& field : read.fields) head->fields.emplace_back(lower_case(field.name), field.value);
  }
  bool is_upgrade_ = false;
};

constexpr ParserLimits kAccepted{.head_bytes = 2048, .target_bytes = 1024, .fields = 64};
constexpr ParserLimits kAgain{.head_bytes = 8192, .target_bytes = 2048, .fields = 128};  // lb adds some of its own

void request(const std::string& bytes, bool is_trusted) {
  const ClientFacts client{.peer = "192.0.2.1", .client = "192.0.2.1", .is_trusted = is_trusted, .request_id = "made"};
  HeadScratch scratch;
  Read read;
  read.client = &client;
  RequestParser parser(kAccepted, scratch, read);
  (void)parser.parse(bytes);
  if (!read.head) return;

  std::string sent = read.sent_on;
  const Fields lines = lines_of(sent);
  const std::string host = value_of(lines, "host");
  require(host.empty() || (count(lines, "host") == 1 && lines.front().first == "host"));
  // HTTP/1.0 may have none; then each server gets its own.
  if (host.empty()) sent.insert(sent.find("\r\n"), "\r\nHost: own.example");

  const Fields ruled = lines_of(read.sent_by_rules);
  require(count(ruled, "host") == 1 && value_of(ruled, "host") == "rule.example");
  require(count(ruled, "x-set") == 1 && value_of(ruled, "x-set") == "rule");
  require(count(ruled, "cookie") == 0 && count(ruled, "x-forwarded-for") == 0 && count(ruled, "x-add") >= 1);
  for (const char* framing : {"content-length", "transfer-encoding", "connection", "idempotency-key"}) {
    require(count(ruled, framing) == count(lines, framing) && value_of(ruled, framing) == value_of(lines, framing));
  }

  Read again;
  RequestParser second(kAgain, scratch, again);
  const auto used = second.parse(sent);
  require(used && *used == sent.size() && again.head);
  const ReadHead& before = *read.head;
  const ReadHead& after = *again.head;
  require(after.method == before.method);
  require(after.framing == before.framing && after.has_content_length == before.has_content_length);
  require(after.content_length == before.content_length && after.keep_alive);
  require(count(lines, "content-length") + count(lines, "transfer-encoding") <= 1);

  const std::size_t scheme = before.target.front() == '/' ? std::string::npos : before.target.find("://");
  if (scheme == std::string::npos) {
    require(after.target == before.target && host == before.host);
  } else {
    const std::size_t path = std::min(before.target.find_first_of("/?", scheme + 3), before.target.size());
    require(host == before.target.substr(scheme + 3, path - scheme - 3));
    const std::string rest = before.target.substr(path);
    require(after.target ==
            (rest.empty() && before.method == "OPTIONS" ? "*" : (rest.starts_with('/') ? "" : "/") + rest));
  }

  const bool has_te = count(lines, "te") > 0;
  require(count(lines, "te") <= 1 && (!has_te || value_of(lines, "te") == "trailers"));
  require(count(lines, "upgrade") == (read.is_upgrade() ? 1 : 0) && count(lines, "trailer") == 0);
  require(count(lines, "keep-alive") == 0 && count(lines, "proxy-connection") == 0 && count(lines, "expect") == 0);
  const std::string connection = read.is_upgrade() ? (has_te ? "Upgrade, TE" : "Upgrade") : has_te ? "TE" : "";
  require(value_of(lines, "connection") == connection && count(lines, "connection") == (connection.empty() ? 0 : 1));

  require(end_to_end(after.fields, true) == end_to_end(before.fields, true));
  require(count(lines, "x-forwarded-for") >= 1 && count(lines, "x-forwarded-proto") >= 1);
  const std::string own_id = is_trusted ? value_of(before.fields, "x-request-id") : "";
  require(count(lines, "x-request-id") == 1);
  require(value_of(lines, "x-request-id") == (own_id.empty() ? client.request_id : own_id));
  for (const std::string_view name : {"x-forwarded-proto", "x-forwarded-host"}) {
    const std::size_t told = is_trusted ? count(before.fields, name) : 0;
    require(told == 0 || (count(lines, name) == told && value_of(lines, name) == value_of(before.fields, name)));
  }
  if (!is_trusted) {
    require(count(lines, "x-forwarded-for") == 1 && value_of(lines, "x-forwarded-for") == client.peer);
    require(count(lines, "x-forwarded-proto") == 1 && value_of(lines, "x-forwarded-proto") == "http");
    require(count(lines, "x-forwarded-host") <= 1 && value_of(lines, "x-forwarded-host") == host);
    for (const auto& [name, value] : lines) {
      require(!tells_of_client(name) ||
              is_one_of(name, {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"}));
    }
  }
}

void response(const std::string& bytes, bool is_head, bool closes, bool is_http10) {
  const Method method = is_head ? Method::Head : Method::Get;
  HeadScratch scratch;
  Read read;
  read.is_written = true;
  read.framing.closes = closes;
  read.framing.is_http10 = is_http10;
  ResponseParser parser(kAccepted, scratch, read);
  parser.expect_answer_to(method);
  (void)parser.parse(bytes);
  if (!read.head) return;

  const Fields lines = lines_of(read.sent_on);
  Read again;
  ResponseParser second(kAgain, scratch, again);
  second.expect_answer_to(method);
  const auto used = second.parse(read.sent_on);
  require(used && *used == read.sent_on.size() && again.head);
  const ReadHead& before = *read.head;
  const ReadHead& after = *again.head;
  require(after.status == before.status && after.reason == before.reason);
  require(count(lines, "content-length") + count(lines, "transfer-encoding") <= 1);
  require(after.framing == read.framing.framing);
  if (after.has_content_length) require(before.has_content_length && after.content_length == before.content_length);
  // A 426 says to what (RFC 9110 §15.5.22), and Connection says so first.
  const bool says_upgrade = before.status == 426 && count(before.fields, "upgrade") > 0;
  require(count(lines, "upgrade") == (says_upgrade ? count(before.fields, "upgrade") : 0));
  const std::string connection = closes ? "close" : is_http10 ? "keep-alive" : "";
  require(value_of(lines, "connection") == (says_upgrade ? "Upgrade" : connection));
  require(count(lines, "connection") == (says_upgrade ? 1U : 0U) + (connection.empty() ? 0U : 1U));
  require(count(lines, "lb-drain") == 0);
  require(count(lines, "date") >= 1 && count(lines, "x-request-id") >= 1);
  for (const auto& [name, value] : lines) {
    require(!is_hop_by_hop_name(name) || name == "connection" || name == "transfer-encoding" ||
            (says_upgrade && name == "upgrade"));
  }
  require(end_to_end(after.fields, false) == end_to_end(before.fields, false));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned flags = data[0];
  request(bytes, (flags & 1) != 0);
  response(bytes, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0);
  return 0;
}
