// Who may change state by the admin port, or be told of clients' requests.
//
// A page that a browser shows can send requests to loopback too: one that names another host (DNS rebinding) or comes
// from another origin is refused. Off loopback, or where a token is configured, the token is wanted.
// Thread: control.
#pragma once

#include "common/http/server.h"

#include <optional>
#include <string>
#include <utility>

namespace holdfast::lb {

class AdminGuard {
 public:
  struct Refusal {
    int status;
    std::string why;
  };

  AdminGuard(const Address& listens, std::string token) : is_local_(listens.is_loopback()), token_(std::move(token)) {}

  /// Judges a request that would change something, or tells of clients; nothing where it may.
  std::optional<Refusal> judge(const HttpRequest& request) const;

 private:
  bool is_local_;
  std::string token_;
};

}  // namespace holdfast::lb
