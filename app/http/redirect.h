// GET and HEAD /:code → 302, or as the link says. A link at hand is answered from memory with one write.
// Thread: the loop's.
#pragma once

#include "app/clicks/recorder.h"
#include "app/http/reply.h"
#include "app/links/blocklist.h"
#include "app/links/lookup.h"
#include "app/links/rules.h"
#include "app/store/postgres.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

class RedirectHandler {
 public:
  /// Links that may be followed so often are counted on `primary`, each visit within `deadline`.
  RedirectHandler(Lookup& lookup, ClickRecorder& clicks, Postgres& primary, const Blocklist& blocklist,
                  const std::vector<Network>& trusted_proxies, std::chrono::milliseconds deadline)
      : lookup_(lookup),
        clicks_(clicks),
        primary_(primary),
        blocklist_(blocklist),
        trusted_proxies_(trusted_proxies),
        deadline_(deadline) {}

  void handle(const HttpRequest& request, Reply reply, std::string_view code);

 private:
  /// What of a request its answer depends on.
  struct Visit {
    std::string_view code;
    std::string_view query;
    const HttpRequest* request = nullptr;  // null once it is gone
    KeptClick* kept = nullptr;             // what was kept of it then; null where it is no click

    /// A HEAD is a look, not a visit.
    bool is_click() const { return request != nullptr ? request->head.method == Method::Get : kept != nullptr; }
  };
  struct KeptVisit;
  class Waiting;
  class Using;

  KeptClick keep(const HttpRequest& request);
  ClickOrigin origin_of(const HttpRequest& request) const;
  void record(const Visit& visit);
  void answer(Reply& reply, const Visit& visit, const LookupAnswer& found);
  void follow(Reply& reply, const Visit& visit, std::string_view value);
  void send(Reply& reply, const Visit& visit, const LinkRules& rules, std::string_view target);

  Lookup& lookup_;
  ClickRecorder& clicks_;
  Postgres& primary_;
  const Blocklist& blocklist_;
  const std::vector<Network>& trusted_proxies_;
  std::chrono::milliseconds deadline_;
  std::string body_;  // under construction; kept for its capacity
};

}  // namespace holdfast::app
