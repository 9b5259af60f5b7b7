// What of a head goes on: hop-by-hop fields end here, X-Forwarded-* and X-Request-ID say what we know.
// Thread: worker.
#pragma once

#include "common/http/head.h"
#include "common/http/writer.h"

#include "lb/pool/field_rules.h"

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::lb {

/// Who sent a request.
struct ClientFacts {
  std::string_view peer;        // address of the connection's other end, without port
  std::string_view client;      // address of the client: the peer, or the client that trusted proxies name
  bool is_trusted = false;      // the peer is a trusted proxy: its X-Forwarded-* and X-Request-ID are believed
  std::string_view request_id;  // made for this request; used where the client's own is not
};

/// What lb asks of its own connection to the server, on behalf of the client's.
struct HopFacts {
  std::string_view upgrade;            // the protocol to change to; empty: none
  bool takes_trailers = false;         // TE: trailers
  std::string_view idempotency_key{};  // given to the request; empty: none
  const FieldRules* rules = nullptr;   // of the pool; null: none
};

/// The protocol that the request may change to: the one that it asks for, where it is one of `allowed` and the request
/// can bear it (HTTP/1.1, GET, no body, named by Connection: RFC 9110 §7.8). Empty where there is none.
std::string_view wanted_upgrade(const RequestHead& head, std::span<const std::string> allowed);

/// The sender takes trailer fields (RFC 9110 §10.1.4).
bool takes_trailers(const RequestHead& head);

/// Writes the head of the request to the server into `out`, which is cleared first, up to the empty line at its end.
/// Returns false if Host is missing, since neither the client nor a rule gives one: each server then gets its own.
/// The body goes on with the framing that it came with.
bool write_request_head(std::string& out, const RequestHead& head, const ClientFacts& client, const HopFacts& hop);

/// The id under which the request goes on: a trusted client's own, else the one made for it.
std::string_view request_id_of(const RequestHead& head, const ClientFacts& client);

/// What every response has, whether its server says it or not (RFC 9110 §6.6.1 for the date).
struct ResponseAdditions {
  DateField& date;
  std::string_view request_id;
  const FieldRules* rules = nullptr;  // of the pool; null: none
};

/// Writes the head of the response to the client into `out` up to the fields that tell its framing and the
/// connection's fate: finish_response_head() writes those.
/// What `added` has is written where the server did not say it.
void begin_response_head(std::string& out, const ResponseHead& head, const ResponseAdditions& added);

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
void write_interim_head(std::string& out, const ResponseHead& head, const FieldRules* rules = nullptr);

/// The 101 that changes the connection to `protocol`, whole.
void write_upgrade_head(std::string& out, const ResponseHead& head, std::string_view protocol,
                        const FieldRules* rules = nullptr);

/// Appends the trailer fields that go on to `out`.
void write_trailers(std::string& out, std::span<const Field> trailers, const FieldRules& rules);

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
