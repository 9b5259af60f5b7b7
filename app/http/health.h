// GET /health, from memory: 200 as long as this instance can serve anything, whatever it depends on is doing. A load
// balancer that took every instance out because their database is away would make the outage whole.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "app/store/dependency.h"

#include <string>
#include <vector>

namespace holdfast::app {

/// The body, application/health+json. Pure.
std::string health_json(const std::vector<const Dependency*>& dependencies, bool is_draining);

class HealthHandler {
 public:
  explicit HealthHandler(const ReplyContext& context) : context_(context) {}
  void add(const Dependency& dependency) { dependencies_.push_back(&dependency); }
  void handle(Reply reply) const;
  /// GET /ready: whether new work is wanted, in one word.
  void ready(Reply reply) const;

 private:
  const ReplyContext& context_;
  std::vector<const Dependency*> dependencies_;
};

}  // namespace holdfast::app
