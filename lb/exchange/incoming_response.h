// The response of one attempt on its way to the client: held back until it is whole, or streamed; framed afresh.
// Thread: worker. Part of an exchange.
#pragma once

#include "common/http/head.h"
#include "common/result.h"
#include "lb/exchange/forward.h"
#include "lb/exchange/response_taker.h"
#include "lb/pool/settings.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::lb {

class IncomingResponse {
 public:
  /// Nothing has come yet; buffers are kept within reason.
  void clear();
  /// What the client can be sent.
  struct ClientTakes {
    bool chunked = true;    // false: it speaks HTTP/1.0
    bool trailers = false;  // it said so
  };
  /// The head came.
  void start(const ResponseHead& head, ClientTakes takes, const ResponseAdditions& added,
             const ResponseSettings& settings);

  /// 0 where there is none.
  int status() const { return status_; }
  bool has_retry_after() const { return has_retry_after_; }
  bool says_draining() const { return says_draining_; }
  /// It may be held until it is whole, so that a server which dies meanwhile is not noticed.
  bool must_hold() const { return must_hold_; }
  bool is_chunked() const { return framing_.framing == Framing::Chunked; }

  /// Trailer fields came, and end it.
  void complete(std::span<const Field> trailers);
  /// Keeps a piece back. False where it has become too much to hold.
  bool hold(std::string_view bytes);

  /// Sends the head, and what is held. `is_whole`: nothing will follow. An error means that the client is gone.
  Result<void> send_head(ResponseTaker& taker, bool is_whole, Afterwards afterwards);
  Result<void> send_piece(ResponseTaker& taker, std::string_view bytes);
  /// Sends what tells the client that a streamed response is whole.
  Result<void> send_end(ResponseTaker& taker);
  /// Only the connection's end tells the client that it is whole. Known once the head was sent.
  bool ends_by_close() const { return framing_.framing == Framing::UntilClose; }

  void swap(IncomingResponse& other);

 private:
  const FieldRules* rules_ = nullptr;
  std::string head_;
  std::string held_;
  std::string trailers_;  // as they are sent
  std::size_t held_max_ = 0;
  ResponseFraming framing_{};
  int status_ = 0;
  bool has_retry_after_ = false;
  bool says_draining_ = false;
  bool must_hold_ = false;
  bool takes_trailers_ = false;
};

}  // namespace holdfast::lb
