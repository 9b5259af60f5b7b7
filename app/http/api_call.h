// One call of the API on its way through the gate to its handler: everything of the request that they need, copied,
// since the gate may have to wait for a store before it lets the call through.
// Thread: the loop's.
#pragma once

#include "app/http/reply.h"
#include "common/http/head.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::app {

/// Who asks.
struct Caller {
  std::string key_id;   // empty: nobody we know
  std::string network;  // of the client's address, /24 or /64
  bool may_read = false;
  bool may_write = false;
  bool is_admin = false;

  /// Whose links the caller sees and changes; empty: everybody's.
  std::string owner() const { return is_admin ? std::string() : key_id; }
  /// Whose idempotency keys these are.
  std::string scope() const { return key_id.empty() ? "anonymous:" + network : "key:" + key_id; }
};

struct ApiCall {
  Reply reply;
  Route route = Route::Other;
  Method method = Method::Get;
  std::string code;
  std::string query;
  std::string body;
  std::string host;
  std::string content_type;
  std::string accept;
  std::optional<std::string> idempotency_key;
  std::string if_match;
  std::string if_none_match;
  Caller caller;
};

/// `name=value&…` decoded; what is no valid escape is left out. The order is kept, and names may repeat.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

}  // namespace holdfast::app
