// From a request to the click that is recorded of it: as little as statistics need, and nothing that names a person.
// Thread: the loop's.
#pragma once

#include "app/clicks/journal.h"
#include "app/clicks/settings.h"
#include "common/http/server.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::app {

ShortAddress shortened(const Address& address);

/// The host of a Referer value, in lower case, into `out`; empty where it is none.
void append_referrer_host(std::string& out, std::string_view referrer);

/// Which register of a day's sketch of visitors this one sets, and how far (statistics estimate a crowd's size from
/// them). From the shortened address, the user agent and the day: it says less than either.
std::uint16_t visitor_mark(const ShortAddress& address, std::string_view user_agent, std::int64_t at_ms);

/// A click whose request is gone.
struct KeptClick {
  Click click;
  std::string referrer;
};

/// Who sent a request: the client as trusted proxies tell it, and whether the request came by way of one.
struct ClickOrigin {
  Address client;
  bool is_by_proxy = false;  // then the request's id is believed to be its own
};

class ClickRecorder {
 public:
  /// A null `journal`: nothing is recorded.
  ClickRecorder(Loop& loop, const RecorderSettings& settings, Journal* journal)
      : loop_(loop), settings_(settings), journal_(journal) {}

  bool is_recording() const { return journal_ != nullptr; }

  /// The request was answered with a redirect to `code`'s target in this turn.
  void record(const HttpRequest& request, const ClickOrigin& origin, std::string_view code);

  /// The same in two steps, where the answer comes later.
  KeptClick keep(const HttpRequest& request, const ClickOrigin& origin);
  void record(KeptClick& kept, std::string_view code);

 private:
  Click describe(const HttpRequest& request, const ClickOrigin& origin);

  Loop& loop_;
  const RecorderSettings& settings_;
  Journal* journal_;
  std::string referrer_;  // under construction; kept for its capacity
};

}  // namespace holdfast::app
