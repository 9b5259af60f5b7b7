// The request as it goes to each server that is tried: its head, and its body as far as it has come.
// Thread: worker. Part of an exchange.
#pragma once

#include "common/http/head.h"
#include "common/result.h"
#include "lb/exchange/forward.h"
#include "lb/exchange/replay.h"
#include "lb/upstream/connection.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::lb {

class OutgoingRequest {
 public:
  /// Keeps of the head what every attempt needs; of its body, up to `body_buffer_bytes` for another attempt.
  void start(const RequestHead& head, const ClientFacts& client, std::size_t body_buffer_bytes);

  Method method() const { return method_; }
  bool is_http10() const { return version_ == Version::Http10; }
  /// May be sent again, as far as its method or its key goes.
  bool is_repeatable() const { return is_repeatable_; }
  /// All of the body that has come can be sent again.
  bool is_body_whole() const { return replay_.is_whole(); }
  /// The client has sent all of it.
  bool is_complete() const { return is_complete_; }
  /// Of the body, so far.
  std::size_t body_bytes() const { return body_bytes_; }

  /// A piece of the body came while there is no connection to send it on. False where no more should be read for now.
  bool collect(std::string_view bytes);
  /// A piece came, and `connection` has had all before it. An error means that the server takes no more.
  Result<void> forward(UpstreamConnection& connection, std::string_view bytes);
  /// The end came.
  void complete() { is_complete_ = true; }
  Result<void> forward_end(UpstreamConnection& connection);
  /// Sends all that has come on a connection that has begun.
  Result<void> send(UpstreamConnection& connection);

  /// `GET /abc`, for people.
  std::string_view line() const { return std::string_view(head_).substr(0, head_.find(" HTTP/1.1\r\n")); }

 private:
  Method method_ = Method::Get;
  Version version_ = Version::Http11;
  Framing framing_ = Framing::None;
  bool is_repeatable_ = false;
  bool is_complete_ = false;
  std::size_t body_bytes_ = 0;
  std::string head_;
  Replay replay_;
};

}  // namespace holdfast::lb
