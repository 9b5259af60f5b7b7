#include "lb/admin/guard.h"

namespace holdfast::lb {
namespace {

bool names_loopback(std::string_view host) {
  if (equals_ignoring_case(host.substr(0, host.rfind(':')), "localhost")) return true;
  const auto with_port = Address::parse(host);
  if (with_port) return with_port->is_loopback();
  const auto alone = Address::parse(std::string(host) + ":1");
  return alone && alone->is_loopback();
}

/// Takes as long whatever differs, so that a token can't be found byte by byte.
bool is_same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  }
  return difference == 0;
}

}  // namespace

std::optional<AdminGuard::Refusal> AdminGuard::judge(const HttpRequest& request) const {
  const std::string_view host = request.head.host;
  if (is_local_ && !names_loopback(host)) {
    return Refusal{403, "Host must be an address of loopback or localhost for this"};
  }
  if (const Field* origin = request.head.find("Origin")) {
    if (origin->value != "http://" + std::string(host) && origin->value != "https://" + std::string(host)) {
      return Refusal{403, "this is not taken from a page of another origin"};
    }
  }
  if (token_.empty()) {
    if (is_local_) return std::nullopt;
    return Refusal{403, "off loopback this wants a token; configure admin.token"};
  }
  constexpr std::string_view kScheme = "Bearer ";
  const Field* given = request.head.find("Authorization");
  if (given == nullptr || !equals_ignoring_case(given->value.substr(0, kScheme.size()), kScheme)) {
    return Refusal{401, "send 'Authorization: Bearer TOKEN'"};
  }
  if (!is_same(given->value.substr(kScheme.size()), token_)) return Refusal{401, "the token is not the right one"};
  return std::nullopt;
}

}  // namespace holdfast::lb
