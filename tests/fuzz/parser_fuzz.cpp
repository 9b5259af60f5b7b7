// The HTTP parsers take any bytes; and what they make of them does not depend on how the bytes were split.
#include "common/http/parser.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

/// What a parser said, in an order that splitting must not change.
struct Journal final : RequestSink, ResponseSink {
  std::string text;

  void on_request_head(const RequestHead& head) override {
    text += "|" + std::string(head.method_text) + " " + std::string(head.target);
    fields(head);
  }
  void on_request_body(std::string_view bytes) override { text += bytes; }
  void on_request_end(std::span<const Field> trailers) override { end(trailers); }
  void on_response_interim(const ResponseHead& head) override { on_response_head(head); }
  void on_response_head(const ResponseHead& head) override {
    text += "|" + std::to_string(head.status) + " " + std::string(head.reason);
    fields(head);
  }
  void on_response_body(std::string_view bytes) override { text += bytes; }
  void on_response_upgrade(const ResponseHead& head) override { on_response_head(head); }
  void on_response_end(std::span<const Field> trailers) override { end(trailers); }

 private:
  void end(std::span<const Field> trailers) {
    for (const Field& field : trailers) text += ";" + std::string(field.name) + "=" + std::string(field.value);
    text += ".";
  }
  void fields(const MessageHead& head) {
    for (const Field& field : head.fields) text += ";" + std::string(field.name) + "=" + std::string(field.value);
    text += "|";
  }
};

/// Feeds heap copies of the pieces, so that a view that outlives its piece is found.
template <class Parser, class Sink>
std::string parse(std::span<const std::string> pieces) {
  HeadScratch scratch;
  Journal journal;
  Parser parser(ParserLimits{.head_bytes = 512, .target_bytes = 64, .fields = 8}, scratch, static_cast<Sink&>(journal));
  for (const std::string& piece : pieces) {
    const std::vector<char> copy(piece.begin(), piece.end());
    std::size_t used = 0;
    while (used < copy.size()) {
      const auto more = parser.parse(std::span(copy).subspan(used));
      if (!more) return journal.text + "!";
      if (*more == 0) std::abort();  // it would be asked for ever
      used += *more;
    }
  }
  return journal.text;
}

/// Both say the same; where one refuses earlier than the other, the same up to there.
void must_agree(std::string whole, std::string split) {
  bool is_refused = false;
  for (std::string* said : {&whole, &split}) {
    if (!said->ends_with('!')) continue;
    is_refused = true;
    said->pop_back();
  }
  const std::size_t both = std::min(whole.size(), split.size());
  if (whole.compare(0, both, split, 0, both) != 0 || (!is_refused && whole.size() != split.size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t at = data[0] * bytes.size() / 256;
  const std::string whole[] = {bytes};
  const std::string split[] = {bytes.substr(0, at), bytes.substr(at)};
  must_agree(parse<RequestParser, RequestSink>(whole), parse<RequestParser, RequestSink>(split));
  must_agree(parse<ResponseParser, ResponseSink>(whole), parse<ResponseParser, ResponseSink>(split));
  return 0;
}
