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
  /// Sends an interim response (1xx), whole. The response itself has not begun by that.
  virtual Result<void> write_interim(std::string_view head) = 0;
  /// Bytes that the client has not taken yet.
  virtual std::size_t unsent_bytes() const = 0;
  /// Backpressure: more of the request's body, or of a tunnel's bytes, is wanted, or not for now.
  virtual void want_request_body(bool is_wanted) = 0;
  /// From now on the client's bytes are a tunnel's. Those that have come already follow, not from inside this call.
  virtual void begin_tunnel() = 0;
  /// The server sends no more through the tunnel; the client may still.
  virtual void end_tunnel_output() = 0;
  /// This response is to be the connection's last, whatever it is.
  virtual bool is_last_response() const = 0;
  /// The exchange is over; it is given up by the taker. Called once.
  virtual void on_exchange_done(Afterwards afterwards) = 0;

 protected:
  ~ResponseTaker() = default;
};

}  // namespace holdfast::lb
