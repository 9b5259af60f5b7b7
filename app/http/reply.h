// One request's way to its response: counts it, times it, adds what every response bears.
// Thread: the loop's.
#pragma once

#include "app/http/problem.h"
#include "app/metrics.h"
#include "common/http/server.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::app {

/// What all replies share.
struct ReplyContext {
  AppCounters& counters;
  std::string problem_base;  // where `type` URLs begin
  bool is_draining = false;  // then every response says so to the load balancer (Lb-Drain: 1)
};

/// Exactly one answer is to be given; dropped without one it is a 500.
class Reply {
 public:
  Reply(ReplyContext& context, Route route, const HttpRequest& request, Responder responder);

  void send(int status, std::string_view content_type, std::initializer_list<Field> fields, std::string_view body);
  void problem(const Problem& problem);

  /// Before the request's views die: keeps what a later problem() needs of it.
  void keep(const HttpRequest& request);

 private:
  /// Most requests are answered at once, from their own head.
  struct Kept {
    std::string request_id;
    bool wants_html = false;
  };
  ReplyContext* context_;
  Route route_;
  std::uint64_t began_ns_;
  const HttpRequest* request_;  // null once kept
  Kept kept_;
  Responder responder_;
};

}  // namespace holdfast::app
