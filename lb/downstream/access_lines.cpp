// What a client's connection tells the access log: of each request that has ended, and of what was none yet.
#include "lb/downstream/connection.h"
#include "lb/downstream/rejection.h"
#include "lb/exchange/local_response.h"

namespace holdfast::lb {

AccessEntry DownstreamConnection::entry() const {
  AccessEntry line{.peer = {address_.data(), address_bytes_},
                   .bytes_in = read_bytes_ - request_begin_bytes_,
                   .bytes_out = response_bytes_};
  if (refusing_ == nullptr) return line;
  line.reason = kRejections[static_cast<std::size_t>(rejection_of(refusing_->code))];
  line.why = refusing_->why;
  return line;
}

void DownstreamConnection::tell_of_exchange() const {
  if (context_.access_log == nullptr) return;
  AccessEntry line = entry();
  const std::string_view refusal = line.reason;
  exchange_->describe(line);
  if (refusing_ != nullptr) {
    line.reason = refusal;
    if (!has_response_begun_) line.status = response_to_bad_client(*refusing_).status;
  } else if (is_too_slow_) {
    line.reason = "response_timeout";
  }
  context_.access_log->write(line);
}

/// Of what was no request yet.
void DownstreamConnection::tell_of_refusal(std::string_view request_id) const {
  if (context_.access_log == nullptr) return;
  AccessEntry line = entry();
  line.request_id = request_id;
  line.status = response_to_bad_client(*refusing_).status;
  line.outcome = "refused";
  context_.access_log->write(line);
}

/// Of a client that left before its head was whole.
void DownstreamConnection::tell_of_half_head() const {
  if (context_.access_log == nullptr) return;
  AccessEntry line = entry();
  line.outcome = kOutcomes[static_cast<std::size_t>(Outcome::ClientGone)];
  line.reason = "head_incomplete";
  context_.access_log->write(line);
}

}  // namespace holdfast::lb
