// The request as it goes to each server that is tried: its head, and its body as far as it has come.
// Thread: worker. Part of an exchange.
#pragma once

#include "common/http/head.h"
#include "common/result.h"
#include "lb/exchange/forward.h"
#include "lb/exchange/replay.h"
#include "lb/upstream/connection.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::lb {

class OutgoingRequest {
 public:
  /// Keeps of the head what every attempt needs; of its body, up to retry.body_buffer for another attempt.
  void start(const RequestHead& head, const ClientFacts& client, const PoolSettings& settings);

  Method method() const { return method_; }
  /// Under which it goes on.
  std::string_view id() const { return id_; }
  /// An answer of our own should be text.
  bool wants_text() const { return wants_text_; }
  Version version() const { return version_; }
  bool is_http10() const { return version_ == Version::Http10; }
  /// May be sent again, as far as its method or its key goes.
  bool is_repeatable() const { return is_repeatable_; }
  /// It was given an Idempotency-Key.
  bool has_assigned_key() const { return has_assigned_key_; }
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
  /// The end came, perhaps with trailer fields.
  void complete(std::span<const Field> trailers);
  Result<void> forward_end(UpstreamConnection& connection);
  /// Sends all that has come on a connection that has begun.
  Result<void> send(UpstreamConnection& connection);

  /// The client keeps its body until it is told to go on (RFC 9110 §10.1.1): a server that is asked hears of it.
  bool awaits_continue() const { return awaits_continue_; }
  void continue_given() { awaits_continue_ = false; }
  /// The protocol that the client wants to change to, where it may; else empty.
  std::string_view upgrade() const { return upgrade_; }
  bool takes_trailers() const { return takes_trailers_; }

  /// As it is written to a server, without what differs from one attempt to the other, such as a Host of the server.
  std::string_view head() const { return head_; }
  /// `GET /abc`, for people.
  std::string_view line() const { return std::string_view(head_).substr(0, head_.find(" HTTP/1.1\r\n")); }

 private:
  Result<void> send_head(UpstreamConnection& connection, std::string_view end);

  const FieldRules* rules_ = nullptr;
  std::string id_;
  bool wants_text_ = false;
  Method method_ = Method::Get;
  Version version_ = Version::Http11;
  Framing framing_ = Framing::None;
  bool is_repeatable_ = false;
  bool has_assigned_key_ = false;
  bool is_complete_ = false;
  bool awaits_continue_ = false;
  bool takes_trailers_ = false;
  bool has_host_ = true;
  std::size_t body_bytes_ = 0;
  std::string head_;  // without the empty line that ends it
  std::string upgrade_;
  std::string trailers_;  // as they are sent
  Replay replay_;
};

}  // namespace holdfast::lb
