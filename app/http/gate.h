// Who calls the API, and may they? Every call passes here before its handler sees it.
// Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/problem.h"
#include "app/keys/key_ring.h"
#include "app/keys/rate_limit.h"
#include "common/http/server.h"
#include "common/net/address.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::app {

struct GateSettings {
  ApiAuth auth = ApiAuth::Keys;
  std::vector<Network> trusted_proxies;
  RateRule rate_of_key;
  RateRule rate_of_address;
  std::vector<std::string> cors_origins;
};

class Gate {
 public:
  Gate(const KeyRing& keys, RateLimit& rates, GateSettings settings)
      : keys_(keys), rates_(rates), settings_(std::move(settings)) {}

  /// Fills in who asks; what they hear where that is not known.
  std::optional<Problem> identify(const HttpRequest& request, Caller& caller) const;
  /// What a caller hears who may not do this; nothing where they may.
  static std::optional<Problem> wrong_with(const Caller& caller, Method method);
  /// Counts the call against its key, or against the address where it has no valid one (whoever guesses keys is counted
  /// too).
  void charge(const Caller& caller, std::unique_ptr<RateUser> user);
  void set(GateSettings settings) { settings_ = std::move(settings); }
  const std::vector<std::string>& cors_origins() const { return settings_.cors_origins; }

 private:
  const KeyRing& keys_;
  RateLimit& rates_;
  GateSettings settings_;
};

/// The key that a request bears, as `Authorization: Bearer …` or `X-Api-Key: …`; empty where it bears none.
std::string_view key_of(const RequestHead& head);

}  // namespace holdfast::app
