#include "app/http/gate.h"

#include "app/http/client_address.h"

namespace holdfast::app {
namespace {

constexpr std::string_view kBearer = "Bearer ";

Problem unauthorized(std::string_view slug, std::string_view title, std::string detail) {
  Problem problem = problem_of(401, slug, title, std::move(detail));
  problem.challenge = "Bearer realm=\"links\"";
  return problem;
}

}  // namespace

std::string_view key_of(const RequestHead& head) {
  if (const Field* field = head.find("Authorization")) {
    std::string_view value = field->value;
    if (value.size() > kBearer.size() && equals_ignoring_case(value.substr(0, kBearer.size()), kBearer)) {
      value.remove_prefix(kBearer.size());
      while (value.starts_with(' ')) value.remove_prefix(1);
      return value;
    }
    return value;
  }
  const Field* field = head.find("X-Api-Key");
  return field == nullptr ? std::string_view{} : field->value;
}

std::optional<Problem> Gate::identify(const HttpRequest& request, Caller& caller) const {
  caller.network = network_of(client_of(request, settings_.trusted_proxies));
  const std::string_view key = key_of(request.head);
  if (key.empty()) {
    if (settings_.auth == ApiAuth::Open) {
      caller.may_read = caller.may_write = caller.is_admin = true;
      return std::nullopt;
    }
    return unauthorized("missing-authentication", "Missing authentication",
                        "An API key is needed: Authorization: Bearer hf_… (shortener keys create makes one).");
  }
  const KeyRing::Judged judged = keys_.judge(key, std::chrono::system_clock::now());
  switch (judged.verdict) {
    case KeyRing::Verdict::Valid:
      caller.key_id = judged.key->id;
      caller.may_read = judged.key->scopes.may_read;
      caller.may_write = judged.key->scopes.may_write;
      caller.is_admin = judged.key->scopes.is_admin;
      return std::nullopt;
    case KeyRing::Verdict::Invalid:
      return unauthorized("invalid-api-key", "Invalid API key", "This API key is not valid, or no longer.");
    case KeyRing::Verdict::Unknown:
      break;
  }
  return unavailable("API keys cannot be read at the moment. Try again.", 1);
}

void Gate::charge(const Caller& caller, std::unique_ptr<RateUser> user) {
  if (!caller.key_id.empty()) return rates_.take("key:" + caller.key_id, settings_.rate_of_key, std::move(user));
  rates_.take("address:" + caller.network, settings_.rate_of_address, std::move(user));
}

std::optional<Problem> Gate::wrong_with(const Caller& caller, Method method) {
  const bool is_reading = method == Method::Get || method == Method::Head;
  if (is_reading ? caller.may_read : caller.may_write) return std::nullopt;
  return problem_of(403, "forbidden", "Forbidden",
                    std::string("This API key lacks the scope ") + (is_reading ? "read." : "write."));
}

}  // namespace holdfast::app
