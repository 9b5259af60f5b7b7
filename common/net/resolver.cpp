#include "common/net/resolver.h"

#include <netdb.h>
#include <algorithm>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace holdfast {

Result<std::vector<Address>> resolve_now(const std::string& host_port) {
  if (const auto address = Address::parse(host_port)) return std::vector{*address};
  const auto parts = split_host_port(host_port);
  if (!parts) return tl::unexpected(parts.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string host(parts->host);
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
    return failure(Code::BadAddress, Side::Self, "the name has no address; is it spelt right, and does its host run?");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  const auto all_of = [&](int family) {
    std::vector<Address> addresses;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      if (one->ai_family != family) continue;
      const Address address = Address::from(one->ai_addr).with_port(parts->port);
      if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
    }
    return addresses;
  };
  std::vector<Address> addresses = all_of(AF_INET);
  if (addresses.empty()) addresses = all_of(AF_INET6);
  if (addresses.empty()) return failure(Code::BadAddress, Side::Self, "the name has no IP address");
  // Resolvers turn their answers around to spread load: that is our business.
  std::sort(addresses.begin(), addresses.end(), [](const Address& a, const Address& b) { return a.text() < b.text(); });
  return addresses;
}

/// Shared by the thread and who waits for it; whoever comes last lets go of it.
struct Resolver::Call {
  std::mutex mutex;
  Loop* loop;  // null: nobody waits any more
  Resolved resolved;
};

Resolver::~Resolver() {
  if (call_ == nullptr) return;
  const std::lock_guard lock(call_->mutex);
  call_->loop = nullptr;
}

void Resolver::start(std::string host_port, Resolved resolved) {
  call_ = std::make_shared<Call>();
  call_->loop = &loop_;
  call_->resolved = std::move(resolved);
  // Signals are for the thread that watches them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Detached: the system's resolver can't be interrupted, and an end of the program need not wait for it.
  std::thread([this, call = call_, host_port = std::move(host_port)] {
    auto answer = resolve_now(host_port);
    const std::lock_guard lock(call->mutex);
    if (call->loop == nullptr) return;
    call->loop->post([this, call, answer = std::move(answer)] {
      if (call->loop == nullptr) return;
      call_.reset();
      call->resolved(answer);
    });
  }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace holdfast
