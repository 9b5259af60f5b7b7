// One request on a new connection, one response, a deadline for the whole: probes.
// Thread: the loop's.
#pragma once

#include "common/http/parser.h"
#include "common/loop/timeouts.h"
#include "common/net/stream.h"
#include "common/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace holdfast {

struct HttpAnswer {
  int status = 0;
  std::string_view body;  // as far as HttpCall::kBodyKept; what is beyond is not waited for
};

/// A call under way. Destroying it cancels it.
class HttpCall final : private StreamUser, private ResponseSink {
 public:
  static constexpr std::size_t kBodyKept = 16 * 1024;

  class User {
   public:
    /// The answer, or why there is none (Side::Upstream). Called once, never from inside start(). The call may be
    /// started anew from here, but not destroyed.
    virtual void on_answer(const Result<HttpAnswer>& answer) = 0;

   protected:
    ~User() = default;
  };

  HttpCall(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, User& user);

  /// Sends `request` (a whole one, whose method is `method`) to `to` and waits for the answer until `timeout`.
  void start(const Address& to, Method method, std::string_view request, std::chrono::milliseconds timeout);
  bool is_under_way() const { return is_under_way_; }
  /// Lets the call under way last no longer than `timeout` from now.
  void shorten(std::chrono::milliseconds timeout);
  void cancel();

 private:
  void on_bytes(std::span<const char> bytes) override;
  void on_end_of_stream() override;
  void on_broken(const Error& error) override;
  void on_connected() override;
  void on_response_interim(const ResponseHead&) override {}
  void on_response_upgrade(const ResponseHead&) override {}  // never asked for
  void on_response_head(const ResponseHead& head) override { status_ = head.status; }
  void on_response_body(std::string_view bytes) override;
  void on_response_end(std::span<const Field>) override { is_complete_ = true; }
  void on_timeout();
  void answer(const Result<HttpAnswer>& answer);

  Loop& loop_;
  TimeoutClass& timeouts_;
  HeadScratch& scratch_;
  User& user_;
  Stream stream_;
  std::unique_ptr<ResponseParser> parser_;
  Timeout timeout_;
  Method method_ = Method::Get;
  std::string request_;
  std::string body_;
  int status_ = 0;
  bool is_under_way_ = false;
  std::chrono::milliseconds allowed_{};
  bool is_connected_ = false;
  bool is_extended_ = false;
  bool is_complete_ = false;
  Error failed_{};
};

}  // namespace holdfast
