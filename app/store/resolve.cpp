#include "app/store/resolve.h"

#include "common/net/address.h"

#include <array>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::size_t kAddressesMax = 8;

}  // namespace

struct HostResolver::Request {
  uv_getaddrinfo_t uv{};
  HostResolver* user = nullptr;  // null once cancelled
  Resolved resolved;
};

bool is_resolved(const std::string& host) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return true;
  std::array<unsigned char, sizeof(in6_addr)> unused{};
  return uv_inet_pton(AF_INET, host.c_str(), unused.data()) == 0 ||
         uv_inet_pton(AF_INET6, host.c_str(), unused.data()) == 0;
}

void HostResolver::start(const std::string& host, Resolved resolved) {
  cancel();
  request_ = new Request{{}, this, std::move(resolved)};
  request_->uv.data = request_;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const auto done = [](uv_getaddrinfo_t* uv, int status, addrinfo* found) noexcept {
    const std::unique_ptr<Request> request(static_cast<Request*>(uv->data));
    std::vector<std::string> addresses;
    for (const addrinfo* at = found; at != nullptr && addresses.size() < kAddressesMax; at = at->ai_next) {
      const Address address = Address::from(at->ai_addr);
      if (address.is_set()) addresses.push_back(address.host());
    }
    uv_freeaddrinfo(found);
    if (request->user == nullptr) return;
    request->user->request_ = nullptr;
    request->resolved(std::move(addresses), status == 0 ? "the name has no address" : uv_strerror(status));
  };
  const int status = uv_getaddrinfo(loop_.uv(), &request_->uv, done, host.c_str(), nullptr, &hints);
  if (status == 0) return;
  // Not to be started at all: told in the same way, yet later.
  loop_.post([request = std::exchange(request_, nullptr), status] {
    const std::unique_ptr<Request> owned(request);
    if (owned->user == nullptr) return;
    owned->resolved({}, uv_strerror(status));
  });
}

void HostResolver::cancel() {
  if (request_ == nullptr) return;
  Request* request = std::exchange(request_, nullptr);
  request->user = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&request->uv));  // where it runs already, its callback finds no user
}

}  // namespace holdfast::app
