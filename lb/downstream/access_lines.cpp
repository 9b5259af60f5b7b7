// What a client's connection tells of each request that has ended, and of what was none yet: to the access log, and to
// those that are kept for the admin port.
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
  if (!context_.is_told_of()) return;
  AccessEntry line = entry();
  const std::string_view refusal = line.reason;
  exchange_->describe(line);
  if (refusing_ != nullptr) {
    line.reason = refusal;
    if (!has_response_begun_) line.status = response_to_bad_client(*refusing_).status;
  } else if (is_too_slow_) {
    line.reason = "response_timeout";
  }
  tell(line);
}

void DownstreamConnection::tell(AccessEntry& line) const {
  if (context_.access_log != nullptr) context_.access_log->write(line);
  const TimePoint now = context_.loop.now();
  if (!context_.recent.wants(line, now)) return;
  if (line.attempts != nullptr) line.texts = &exchange_->texts();
  context_.recent.keep(line, now);
}

/// Of what was no request yet.
void DownstreamConnection::tell_of_refusal(std::string_view request_id) const {
  if (!context_.is_told_of()) return;
  AccessEntry line = entry();
  line.request_id = request_id;
  line.status = response_to_bad_client(*refusing_).status;
  line.outcome = "refused";
  tell(line);
}

/// Of a client that left before its head was whole.
void DownstreamConnection::tell_of_half_head() const {
  if (!context_.is_told_of()) return;
  AccessEntry line = entry();
  line.outcome = kOutcomes[static_cast<std::size_t>(Outcome::ClientGone)];
  line.reason = "head_incomplete";
  tell(line);
}

}  // namespace holdfast::lb
