// Who calls the API, and may they? Every call passes here before its handler sees it.
// Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/problem.h"
#include "app/keys/key_ring.h"
#include "common/http/server.h"
#include "common/net/address.h"

#include <optional>
#include <vector>

namespace holdfast::app {

struct GateSettings {
  ApiAuth auth = ApiAuth::Keys;
  std::vector<Network> trusted_proxies;
};

class Gate {
 public:
  Gate(const KeyRing& keys, GateSettings settings) : keys_(keys), settings_(std::move(settings)) {}

  /// Fills in who asks; what they hear where that is not known.
  std::optional<Problem> identify(const HttpRequest& request, Caller& caller) const;
  /// What a caller hears who may not do this; nothing where they may.
  static std::optional<Problem> wrong_with(const Caller& caller, Method method);

 private:
  const KeyRing& keys_;
  GateSettings settings_;
};

/// The key that a request bears, as `Authorization: Bearer …` or `X-Api-Key: …`; empty where it bears none.
std::string_view key_of(const RequestHead& head);

}  // namespace holdfast::app
