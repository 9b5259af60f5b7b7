#include "lb/downstream/admission.h"

#include <netinet/in.h>
#include <cstring>

namespace holdfast::lb {

ClientKey::ClientKey(const Address& address) {
  if (address.raw()->sa_family == AF_INET) {
    bits = reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr.s_addr;
    return;
  }
  if (address.raw()->sa_family != AF_INET6) return;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
  std::memcpy(&bits, v6.s6_addr, sizeof bits);
  is_v6 = true;
}

Admission::Admission(const LimitSettings& limits, std::size_t worker_count)
    : connections_max_(limits.connections), per_client_max_(limits.connections_per_client) {
  for (std::size_t i = 0; i < worker_count; ++i) seats_.push_back(std::make_unique<Seat>());
}

bool Admission::try_enter() {
  std::size_t open = open_.load();
  while (open < connections_max_) {
    if (open_.compare_exchange_weak(open, open + 1)) return true;
  }
  return false;
}

void Admission::leave() {
  open_.fetch_sub(1);
  for (const auto& seat : seats_) {
    if (!seat->is_waiting.load() || !seat->is_waiting.exchange(false)) continue;
    seat->is_called = true;
    if (Wake* wake = seat->wake.load()) wake->send();
  }
}

bool Admission::wait(std::size_t worker) {
  wait_anyway(worker);
  // Who left before we were seen waiting has called nobody: look again. (Both sides write first, then read.)
  if (!try_enter()) return false;
  seats_[worker]->is_waiting = false;
  return true;
}

void Admission::ask_others(std::size_t worker) {
  is_room_wanted_ = true;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    Wake* wake = seats_[i]->wake.load();
    if (i != worker && wake != nullptr) wake->send();
  }
}

bool Admission::enter_client(const ClientKey& client) {
  const std::lock_guard lock(clients_mutex_);
  std::size_t& count = clients_[client];
  if (count >= per_client_max_) return false;
  ++count;
  return true;
}

void Admission::leave_client(const ClientKey& client) {
  const std::lock_guard lock(clients_mutex_);
  const auto found = clients_.find(client);
  if (--found->second == 0) clients_.erase(found);
}

}  // namespace holdfast::lb
