#include "app/http/cors.h"

#include <algorithm>

namespace holdfast::app {

void add_cors(Reply& reply, const RequestHead& head, std::string_view methods,
              const std::vector<std::string>& origins) {
  if (origins.empty()) return;
  const bool is_anybody = std::find(origins.begin(), origins.end(), "*") != origins.end();
  if (!is_anybody) reply.add("Vary", "Origin");  // of the answers to others as well: a cache must not mix them up
  const Field* origin = head.find("Origin");
  if (origin == nullptr) return;
  const bool is_ours = std::any_of(origins.begin(), origins.end(),
                                   [&](const std::string& each) { return equals_ignoring_case(each, origin->value); });
  if (!is_anybody && !is_ours) return;
  reply.add("Access-Control-Allow-Origin", is_anybody ? "*" : std::string(origin->value));
  if (head.method == Method::Options && head.find("Access-Control-Request-Method") != nullptr) {
    reply.add("Access-Control-Allow-Methods", std::string(methods));
    reply.add("Access-Control-Allow-Headers",
              "Authorization, X-Api-Key, Content-Type, Idempotency-Key, If-Match, If-None-Match");
    reply.add("Access-Control-Max-Age", "600");
    return;
  }
  reply.add("Access-Control-Expose-Headers",
            "ETag, Location, Retry-After, Idempotency-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset");
}

}  // namespace holdfast::app
