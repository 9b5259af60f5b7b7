// llhttp to heads and bodies, strict: bytes in, whole heads and pieces of body out, one message at a time.
// A head that came in one read is never copied; one in several is collected, within a bound.
// Thread: the one of its owner.
#pragma once

#include "common/http/chunks.h"
#include "common/http/head.h"
#include "common/result.h"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#if __has_include(<llhttp/llhttp.h>)
#include <llhttp/llhttp.h>  // Debian 12: node-llhttp
#else
#include <llhttp.h>  // Debian 13: libllhttp-dev
#endif

namespace holdfast {

struct ParserLimits {
  std::size_t head_bytes = 16 * 1024;
  std::size_t target_bytes = 8 * 1024;
  std::size_t fields = 100;  // of a head; trailers are counted apart, by the same number and bytes
};

/// Room for one head's fields. One for a thread is enough: a head is parsed at one go.
struct HeadScratch {
  std::array<Field, kFieldsMax> fields;
};

/// What both parsers share. Not to be used by itself.
class MessageParser {
 public:
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  /// True between messages: no byte of the next one has come.
  bool is_between() const { return phase_ == Phase::Ended || (phase_ == Phase::Head && partial_.empty()); }
  bool is_in_head() const { return phase_ == Phase::Head && !partial_.empty(); }
  /// Bytes held back because a head is incomplete.
  std::size_t held_bytes() const { return partial_.capacity(); }

 protected:
  MessageParser(llhttp_type_t type, const ParserLimits& limits, HeadScratch& scratch);
  ~MessageParser() = default;

  /// Parses up to the end of the message. Returns how many of `bytes` were used.
  Result<std::size_t> parse(std::span<const char> bytes);
  /// The peer ended the stream. True where that ends the message well.
  bool finish();

  enum class Phase { Head, Body, Chunks, Trailers, Ended };

  static const llhttp_settings_t& settings();
  static int on_url(llhttp_t*, const char*, std::size_t);
  static int on_status(llhttp_t*, const char*, std::size_t);
  static int on_field_name(llhttp_t*, const char*, std::size_t);
  static int on_field_value(llhttp_t*, const char*, std::size_t);
  static int on_field_complete(llhttp_t*);
  static int on_head_complete(llhttp_t*);
  static int on_body_bytes(llhttp_t*, const char*, std::size_t);
  static int on_message_complete(llhttp_t*);

  /// The head is whole: `start_line_` and `fields()` are set. What kind of body follows.
  virtual Result<Framing> head_complete() = 0;
  virtual void body(std::string_view bytes) = 0;
  virtual void message_complete(std::span<const Field> trailers) = 0;

  std::span<const Field> fields() const { return {scratch_.fields.data(), field_count_}; }

  llhttp_t parser_;
  std::string_view start_line_;  // the target of a request, the reason of a response

 private:
  int fail(Code code, std::string_view why);
  Result<std::size_t> execute(std::string_view bytes);
  Result<std::size_t> read_chunks(std::string_view bytes);
  Result<std::size_t> read_trailers(std::string_view bytes);
  void end_trailers();
  std::string_view hold(std::string_view input);
  Result<std::size_t> execute_again();
  void show_hidden();
  bool is_query_refused(std::string_view input) const;
  bool is_tab_behind_length(std::string_view input) const;
  Result<std::size_t> skip_empty_lines(std::string_view bytes);
  void start_message();
  Side peer() const;

  ParserLimits limits_;
  HeadScratch& scratch_;
  Phase phase_ = Phase::Head;
  Error error_{};
  std::string partial_;  // an incomplete head
  std::string hidden_;   // what stands in partial_ at hidden_at_ when llhttp does not look
  std::size_t hidden_at_ = 0;
  bool is_doubtful_ = false;     // it is refused; why, its request line will tell when it is whole
  std::size_t empty_lines_ = 0;  // before the head
  std::string_view input_;       // what is being executed
  std::size_t head_bytes_ = 0;   // of it, once the head is whole
  ChunkReader chunks_;
  std::size_t field_count_ = 0;
  std::string trailers_;  // the lines of those that go on, and behind them the one under way
  std::size_t trailer_line_ = 0;
  std::size_t trailer_count_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string_view name_;
  const char* value_begin_ = nullptr;
  std::size_t value_bytes_ = 0;
};

class RequestSink {
 public:
  virtual void on_request_head(const RequestHead& head) = 0;  // its views die with this call
  virtual void on_request_body(std::string_view bytes) = 0;   // likewise
  /// `trailers`: those that may go on (is_trailer_allowed); the others are dropped.
  virtual void on_request_end(std::span<const Field> trailers) = 0;

 protected:
  ~RequestSink() = default;
};

class RequestParser final : private MessageParser {
 public:
  RequestParser(const ParserLimits& limits, HeadScratch& scratch, RequestSink& sink);

  /// Parses at most to the end of one request; returns how many bytes it used. The next call begins the next request.
  /// After an error the connection is of no more use: where the next request would begin is not known.
  Result<std::size_t> parse(std::span<const char> bytes) { return MessageParser::parse(bytes); }
  using MessageParser::held_bytes;
  using MessageParser::is_between;
  using MessageParser::is_in_head;

 private:
  Result<Framing> head_complete() override;
  void body(std::string_view bytes) override { sink_.on_request_body(bytes); }
  void message_complete(std::span<const Field> trailers) override { sink_.on_request_end(trailers); }

  RequestSink& sink_;
};

class ResponseSink {
 public:
  virtual void on_response_interim(const ResponseHead& head) = 0;  // 1xx; the final head follows
  /// A 101 that was asked for. Nothing follows: what comes behind this head is no HTTP.
  virtual void on_response_upgrade(const ResponseHead& head) = 0;
  virtual void on_response_head(const ResponseHead& head) = 0;
  virtual void on_response_body(std::string_view bytes) = 0;
  virtual void on_response_end(std::span<const Field> trailers) = 0;

 protected:
  ~ResponseSink() = default;
};

class ResponseParser final : private MessageParser {
 public:
  ResponseParser(const ParserLimits& limits, HeadScratch& scratch, ResponseSink& sink);

  /// Says which request the next response answers: HEAD has no body, whatever the fields say, and only one that asked
  /// for an upgrade may be answered with 101.
  void expect_answer_to(Method method, bool upgrade_asked = false) {
    method_ = method;
    is_upgrade_asked_ = upgrade_asked;
    is_upgraded_ = false;
    interim_count_ = 0;
  }
  /// Parses at most to the end of one final response; interim ones pass on the way. Returns how many bytes it used:
  /// after a 101, exactly those up to the end of its head, and then it is not to be called again.
  Result<std::size_t> parse(std::span<const char> bytes);
  /// The server ended the stream: true where that completes a response whose end is the connection's.
  bool finish() { return MessageParser::finish(); }
  /// The connection is a tunnel from now on.
  bool is_upgraded() const { return is_upgraded_; }
  using MessageParser::is_between;

 private:
  Result<Framing> head_complete() override;
  void body(std::string_view bytes) override { sink_.on_response_body(bytes); }
  void message_complete(std::span<const Field> trailers) override;

  ResponseSink& sink_;
  Method method_ = Method::Get;
  bool is_interim_ = false;
  unsigned interim_count_ = 0;
  bool is_upgrade_asked_ = false;
  bool is_upgraded_ = false;
};

}  // namespace holdfast
