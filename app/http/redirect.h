// GET and HEAD /:code → 302, or as the link says. A link at hand is answered from memory with one write.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/links/blocklist.h"
#include "app/links/lookup.h"
#include "app/links/rules.h"
#include "app/links/visits.h"
#include "app/store/postgres.h"

#include <chrono>
#include <string>
#include <string_view>

namespace holdfast::app {

class RedirectHandler {
 public:
  /// Links that may be followed so often are counted on `primary`, each visit within `deadline`.
  RedirectHandler(Lookup& lookup, Visits& visits, Postgres& primary, const Blocklist& blocklist,
                  std::chrono::milliseconds deadline)
      : lookup_(lookup), visits_(visits), primary_(primary), blocklist_(blocklist), deadline_(deadline) {}

  void handle(const HttpRequest& request, Reply reply, std::string_view code);

 private:
  /// What of a request its answer depends on.
  struct Visit {
    std::string_view code;
    std::string_view query;
    bool is_counted = true;  // a HEAD is a look, not a visit
  };
  struct KeptVisit;
  class Waiting;
  class Using;

  void answer(Reply& reply, const Visit& visit, const LookupAnswer& found);
  void follow(Reply& reply, const Visit& visit, std::string_view value);
  void send(Reply& reply, const Visit& visit, const LinkRules& rules, std::string_view target);

  Lookup& lookup_;
  Visits& visits_;
  Postgres& primary_;
  const Blocklist& blocklist_;
  std::chrono::milliseconds deadline_;
  std::string body_;  // under construction; kept for its capacity
};

}  // namespace holdfast::app
