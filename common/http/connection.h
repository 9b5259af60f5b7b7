// One client's connection to an HttpServer: requests in order, one at a time, each answered through its Responder.
//
//   Idle ──▶ Reading ──▶ Handling ──▶ Idle          (any ──▶ Closing ──▶ gone)
//
// Thread: the loop's. Private to common/http/server.
#pragma once

#include "common/http/kept_head.h"
#include "common/http/parser.h"
#include "common/http/server.h"
#include "common/http/writer.h"

namespace holdfast {

class HttpConnection final : public ListHook<>, private StreamUser, private RequestSink {
 public:
  HttpConnection(HttpServer& server, Stream stream);
  ~HttpConnection();

  void start();
  /// Goes away now if it is idle, else after its response.
  void close_when_idle();
  /// The server is going: closes now and tells nobody.
  void abandon();

 private:
  friend class Responder;

  enum class Phase {
    Idle,      // between requests
    Reading,   // a request has begun
    Handling,  // it is whole: its answer is awaited
    Closing,   // the last response is out: what the client still sends is thrown away
  };

  void on_bytes(std::span<const char> bytes) override;
  void on_end_of_stream() override;
  void on_broken(const Error& error) override;
  void on_drained() override;
  void on_request_head(const RequestHead& head) override;
  void on_request_body(std::string_view bytes) override;
  void on_request_end(std::span<const Field> trailers) override;
  void on_timeout();

  void consume(std::span<const char> bytes);
  void keep_early(std::span<const char> bytes);
  void finish();
  void refuse(const Error& error);
  void send(const HttpResponse& response, bool is_streamed);
  void send_more(std::string_view bytes);
  void answered();
  void leave();
  void resume();

  HttpServer& server_;
  Stream stream_;
  RequestParser parser_;
  Address client_;
  Timeout timeout_;
  Phase phase_ = Phase::Idle;
  Responder* responder_ = nullptr;  // who will answer; follows it as it moves
  RequestHead head_;  // of the request being read: views of the read buffer, or of kept_ where a body follows
  KeptRequestHead kept_;
  std::string body_;
  std::string early_;  // bytes that came while Handling, or while too much was unsent
  Error refusal_{};    // of this request, found after its head
  bool is_refused_ = false;
  bool wants_close_ = false;
  bool client_is_done_ = false;
  bool is_head_request_ = false;
  bool is_streaming_ = false;
  bool is_consuming_ = false;  // more requests may be behind the one that is answered
};

}  // namespace holdfast
