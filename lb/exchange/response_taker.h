// The client's side of an exchange, as the exchange sees it: the client's connection implements it.
// Thread: worker.
#pragma once

#include "common/result.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace holdfast::lb {

/// How the connection to the client goes on after a response.
enum class Afterwards : std::uint8_t {
  KeepAlive,
  Close,  // in good order
  Reset,  // the client must see that its response was cut short
};

class ResponseTaker {
 public:
  /// Sends a part of the response. An error means that the client is gone.
  virtual Result<void> write_response(std::initializer_list<std::string_view> pieces) = 0;
  /// Bytes that the client has not taken yet.
  virtual std::size_t unsent_bytes() const = 0;
  /// Backpressure: more of the request's body is wanted, or not for now.
  virtual void want_request_body(bool is_wanted) = 0;
  /// This response is to be the connection's last, whatever it is.
  virtual bool is_last_response() const = 0;
  /// The exchange is over; it is given up by the taker. Called once.
  virtual void on_exchange_done(Afterwards afterwards) = 0;

 protected:
  ~ResponseTaker() = default;
};

}  // namespace holdfast::lb
