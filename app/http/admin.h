// What is served on the admin port alone: metrics, and whether this instance is well.
// Thread: the loop's.
#pragma once

#include "app/http/health.h"
#include "app/http/reply.h"
#include "common/http/server.h"
#include "common/metrics/registry.h"

namespace holdfast::app {

class AdminRouter final : public HttpHandler {
 public:
  AdminRouter(ReplyContext& context, const HealthHandler& health, Registry& metrics)
      : context_(context), health_(health), metrics_(metrics) {}
  void on_request(const HttpRequest& request, Responder responder) override;

 private:
  ReplyContext& context_;
  const HealthHandler& health_;
  Registry& metrics_;
};

}  // namespace holdfast::app
