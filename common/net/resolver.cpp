#include "common/net/resolver.h"

#include <netdb.h>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace holdfast {
namespace {

/// Look-ups under way in the process. One that nobody waits for any more goes on until its DNS server responds or the
/// resolver gives up.
std::atomic<int> lookups_under_way{0};
constexpr int kLookupsMax = 64;

/// False if there is no thread to be had, or too many look-ups are under way. `work` may outlive everything else, so it
/// must own what it uses.
bool run_detached(std::function<void()> work) {
  if (lookups_under_way.fetch_add(1, std::memory_order_relaxed) >= kLookupsMax) {
    lookups_under_way.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  // Signals are for the thread that watches them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool has_begun = true;
  try {
    std::thread([work = std::move(work)] {
      work();
      lookups_under_way.fetch_sub(1, std::memory_order_relaxed);
    }).detach();
  } catch (const std::system_error&) {
    has_begun = false;
    lookups_under_way.fetch_sub(1, std::memory_order_relaxed);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return has_begun;
}

Addresses no_thread() {
  return failure(Code::Internal, Side::Self,
                 "the name was not resolved: there is no thread for it, or too many look-ups wait for DNS");
}

}  // namespace

Addresses addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = getaddrinfo(host.c_str(), nullptr, &hints, &found); problem != 0) {
    return failure(Code::BadAddress, Side::Self, gai_strerror(problem));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const Address address = Address::from(one->ai_addr);
    const bool is_known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (address.is_set() && !is_known) addresses.push_back(address);
  }
  if (addresses.empty()) return failure(Code::BadAddress, Side::Self, "the name has no address");
  return addresses;
}

Addresses resolve_now(const std::string& host_port) {
  if (const auto address = Address::parse(host_port)) return std::vector{*address};
  const auto parts = split_host_port(host_port);
  if (!parts) return tl::unexpected(parts.error());
  auto addresses = addresses_of(std::string(parts->host));
  if (!addresses) {
    return failure(Code::BadAddress, Side::Self, "the name has no address; is it spelt right, and does its host run?");
  }
  const auto is_v6 = [](const Address& address) { return address.raw()->sa_family == AF_INET6; };
  if (!std::all_of(addresses->begin(), addresses->end(), is_v6)) std::erase_if(*addresses, is_v6);
  for (Address& address : *addresses) address = address.with_port(parts->port);
  // Resolvers turn their answers around to spread load: that is our business.
  std::sort(addresses->begin(), addresses->end(),
            [](const Address& a, const Address& b) { return a.text() < b.text(); });
  return addresses;
}

Addresses resolve_unless_stopped(const std::string& host_port, const std::stop_token& stop) {
  if (const auto address = Address::parse(host_port)) return std::vector{*address};
  if (stop.stop_requested()) return failure(Code::Internal, Side::Self, "the program is ending");
  struct Call {
    std::mutex mutex;
    std::condition_variable_any has_ended;
    std::optional<Addresses> addresses;
  };
  const auto call = std::make_shared<Call>();
  const bool has_begun = run_detached([call, host_port] {
    auto addresses = resolve_now(host_port);
    const std::lock_guard lock(call->mutex);
    call->addresses = std::move(addresses);
    call->has_ended.notify_all();
  });
  if (!has_begun) return no_thread();
  std::unique_lock lock(call->mutex);
  if (!call->has_ended.wait(lock, stop, [&call] { return call->addresses.has_value(); })) {
    return failure(Code::Internal, Side::Self, "the program is ending");
  }
  return std::move(*call->addresses);
}

void Resolver::start(std::string name, Resolved resolved) {
  call_ = std::make_unique<Mailbox>(loop_);
  resolved_ = std::move(resolved);
  const bool has_begun = run_detached([this, lookup = lookup_, call = call_->sender(), name = std::move(name)] {
    call.post([this, addresses = lookup(name)] { finish(addresses); });  // if it is still there
  });
  if (!has_begun) call_->post([this] { finish(no_thread()); });
}

void Resolver::finish(const Addresses& addresses) {
  call_.reset();
  std::exchange(resolved_, nullptr)(addresses);
}

}  // namespace holdfast
