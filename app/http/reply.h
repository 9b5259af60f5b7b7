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
#include <utility>
#include <vector>

namespace holdfast::app {

inline constexpr Field kNoStore{.name = "Cache-Control", .value = "no-store", .id = FieldId::Other};

/// What all replies share.
struct ReplyContext {
  AppCounters& counters;
  std::string problem_base;  // where `type` URLs begin
  bool is_draining = false;  // then every response says so to the load balancer (Lb-Drain: 1)
  bool logs_requests = false;
  bool has_admin_port = false;                   // then metrics are served there alone
  std::size_t request_body_bytes = 1024 * 1024;  // a larger body is refused
};

/// The Allow field of what can be read only; HEAD and OPTIONS are everywhere.
inline constexpr std::string_view kReading = "GET, HEAD, OPTIONS";

/// Exactly one answer is to be given; dropped without one it is a 500.
class Reply {
 public:
  Reply(ReplyContext& context, Route route, const HttpRequest& request, Responder responder);

  /// A field of the response, whatever it will be. For the API: it copies.
  void add(std::string_view name, std::string value) { added_.emplace_back(name, std::move(value)); }

  void send(int status, std::string_view content_type, std::initializer_list<Field> fields, std::string_view body);
  void problem(const Problem& problem);

  /// Before the request's views die: keeps what a later answer needs of it.
  void keep(const HttpRequest& request);
  /// As keep(), of a request that this reply may still know.
  void keep_answer() {
    if (request_ != nullptr) keep(*request_);
  }

  const std::string& problem_base() const { return context_->problem_base; }

 private:
  /// Most requests are answered at once, from their own head.
  struct Kept {
    std::string request_id;
    std::string method;
    std::string path;
    bool wants_html = false;
  };
  /// With what was added before.
  void send_all(int status, std::string_view content_type, std::initializer_list<Field> fields, std::string_view body);
  bool has(std::string_view name) const;
  void log(int status) const;

  ReplyContext* context_;
  Route route_;
  std::uint64_t began_ns_;
  const HttpRequest* request_;  // null once kept
  Kept kept_;
  std::vector<std::pair<std::string_view, std::string>> added_;  // names are literals
  Responder responder_;
};

}  // namespace holdfast::app
