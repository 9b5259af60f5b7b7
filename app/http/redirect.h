// GET and HEAD /:code → 302. A link at hand is answered from memory with one write.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/links/lookup.h"
#include "app/links/visits.h"

#include <string>
#include <string_view>

namespace holdfast::app {

class RedirectHandler {
 public:
  RedirectHandler(Lookup& lookup, Visits& visits) : lookup_(lookup), visits_(visits) {}

  void handle(const HttpRequest& request, Reply reply, std::string_view code);

 private:
  class Waiting;
  void answer(Reply& reply, std::string_view code, bool is_visit, const LookupAnswer& found);

  Lookup& lookup_;
  Visits& visits_;
  std::string body_;  // under construction; kept for its capacity
};

}  // namespace holdfast::app
