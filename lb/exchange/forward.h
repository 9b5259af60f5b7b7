// What of a head goes on: hop-by-hop fields end here, X-Forwarded-* and X-Request-ID say what we know.
// Thread: worker.
#pragma once

#include "common/http/head.h"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace holdfast::lb {

/// The client as its request's head tells of it to the server.
struct ClientFacts {
  std::string_view address;     // without port
  bool is_trusted = false;      // its X-Forwarded-* and X-Request-ID are believed
  std::string_view request_id;  // made for this request; used where the client's own is not
};

/// Writes the whole head of the request to the server into `out`, which is cleared first. The body goes on with the
/// framing that it came with.
void write_request_head(std::string& out, const RequestHead& head, const ClientFacts& client);

/// Writes the head of the response to the client into `out` up to the fields that tell its framing and the
/// connection's fate: finish_response_head() writes those.
void begin_response_head(std::string& out, const ResponseHead& head);

/// How a response's body reaches the client.
struct ResponseFraming {
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;
  bool has_content_length = false;  // with Framing::None: say it all the same (HEAD, 304)
  bool closes = false;              // this is the connection's last response
  bool is_http10 = false;           // the client's version: "keep-alive" has to be said
};
void finish_response_head(std::string& out, const ResponseFraming& framing);

/// The interim response `head` (1xx), whole.
void write_interim_head(std::string& out, const ResponseHead& head);

/// Makes request ids: 128 random bits in hexadecimal. Not secret, only unlike each other.
class RequestIds {
 public:
  RequestIds();
  /// Good until the next call.
  std::string_view next();

 private:
  std::mt19937_64 random_;
  char text_[32];
};

}  // namespace holdfast::lb
