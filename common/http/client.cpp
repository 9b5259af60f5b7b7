#include "common/http/client.h"

#include <algorithm>
#include <utility>

namespace holdfast {
namespace {

/// A time-out that fires this much too late says that we were not served, not that the peer was silent.
constexpr std::chrono::milliseconds kLate{20};

}  // namespace

HttpCall::HttpCall(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, User& user)
    : loop_(loop),
      timeouts_(timeouts),
      scratch_(scratch),
      user_(user),
      timeout_(Timeout::calling<&HttpCall::on_timeout>(this)) {}

void HttpCall::start(const Address& to, Method method, std::string_view request, std::chrono::milliseconds timeout) {
  parser_ = std::make_unique<ResponseParser>(ParserLimits{}, scratch_, static_cast<ResponseSink&>(*this));
  parser_->expect_answer_to(method);
  method_ = method;
  request_ = request;
  body_.clear();
  status_ = 0;
  is_connected_ = is_complete_ = is_extended_ = false;
  allowed_ = timeout;
  failed_ = {};
  auto begun = Stream::connect(loop_, to, this);
  is_under_way_ = true;
  if (!begun) {
    failed_ = begun.error();
    timeouts_.arm(timeout_, std::chrono::milliseconds(0));  // told from the loop, as every other end
    return;
  }
  stream_ = std::move(*begun);
  timeouts_.arm(timeout_, timeout);
}

void HttpCall::shorten(std::chrono::milliseconds timeout) {
  if (!is_under_way_ || timeout_.deadline() <= loop_.now() + timeout) return;
  allowed_ = timeout;
  timeouts_.arm(timeout_, timeout);
}

void HttpCall::cancel() {
  is_under_way_ = false;
  stream_.close();
  timeout_.disarm();
}

void HttpCall::on_connected() {
  is_connected_ = true;
  stream_.start_reading();
  if (const auto sent = stream_.write(request_); !sent) on_broken(sent.error());
}

void HttpCall::on_bytes(std::span<const char> bytes) {
  const auto used = parser_->parse(bytes);
  if (!used) return answer(tl::unexpected(used.error()));
  if (is_complete_ || body_.size() == kBodyKept) answer(HttpAnswer{.status = status_, .body = body_});
}

void HttpCall::on_response_body(std::string_view bytes) {
  body_.append(bytes.substr(0, std::min(bytes.size(), kBodyKept - body_.size())));
}

void HttpCall::on_end_of_stream() {
  if (parser_->finish()) return answer(HttpAnswer{.status = status_, .body = body_});
  answer(failure(Code::Closed, Side::Upstream, "closed before the answer was complete"));
}

void HttpCall::on_broken(const Error& error) { answer(failure(error.code, Side::Upstream, error.why, error.sys)); }

void HttpCall::on_timeout() {
  if (!failed_.why.empty()) return on_broken(failed_);
  if (loop_.now() - timeout_.deadline() > kLate && !std::exchange(is_extended_, true)) {
    // This thread had no turn for a while: maybe the request has only just been sent. The peer gets all its time again.
    return timeouts_.arm(timeout_, allowed_);
  }
  answer(failure(Code::Timeout, Side::Upstream, is_connected_ ? "no answer in time" : "no connection in time"));
}

void HttpCall::answer(const Result<HttpAnswer>& answer) {
  cancel();
  user_.on_answer(answer);
}

}  // namespace holdfast
