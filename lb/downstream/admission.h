// Who may come in: how many connections of clients there may be at a time, of all workers together, and of one client.
//
// A worker without room closes the one of its own clients that has been idle for longest; where it has none, it pauses
// and asks the other workers to do so. Whoever lets a connection go wakes those that wait.
// Thread: any. Touched where a connection begins or ends, never for a request: a locked instruction each, and the lock
// only where clients are counted by address.
#pragma once

#include "common/loop/wake.h"
#include "common/net/address.h"
#include "lb/pool/settings.h"

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace holdfast::lb {

/// Whom a connection is counted for: an IPv4 address, or the /64 of an IPv6 one, which is what one customer is given.
struct ClientKey {
  explicit ClientKey(const Address& address);
  bool operator==(const ClientKey&) const = default;

  std::uint64_t bits = 0;
  bool is_v6 = false;
};

class Admission {
 public:
  Admission(const LimitSettings& limits, std::size_t worker_count);

  /// One more connection, if there is room.
  bool try_enter();
  /// One more, whatever the limit says.
  void enter() { open_.fetch_add(1); }
  /// It did not come. Wakes nobody: two workers who only try would keep each other awake.
  void withdraw() { open_.fetch_sub(1); }
  /// One less: who waits is called.
  void leave();

  /// From now on `wake` wakes that worker: it is called, or asked to make room.
  void join(std::size_t worker, Wake& wake) { seats_[worker]->wake = &wake; }
  void part(std::size_t worker) { seats_[worker]->wake = nullptr; }
  /// That worker has clients waiting and no room for them. True where there is room after all, and it was entered.
  bool wait(std::size_t worker);
  /// As wait(), for want of something else than room here.
  void wait_anyway(std::size_t worker) { seats_[worker]->is_waiting = true; }
  /// True once after somebody left while that worker was waiting.
  bool take_call(std::size_t worker) { return seats_[worker]->is_called.exchange(false); }
  /// Asks the other workers to make room.
  void ask_others(std::size_t worker);
  /// True for one of those who were asked. Who can't do it puts it back.
  bool take_request() { return is_room_wanted_.exchange(false); }
  void put_request_back() { is_room_wanted_ = true; }

  bool counts_clients() const { return per_client_max_ != 0; }
  /// One more connection of that client; false where it has as many as it may.
  bool enter_client(const ClientKey& client);
  void leave_client(const ClientKey& client);

 private:
  struct Seat {
    std::atomic<Wake*> wake{nullptr};
    std::atomic<bool> is_waiting{false};
    std::atomic<bool> is_called{false};
  };
  struct Hash {
    std::size_t operator()(const ClientKey& client) const { return std::hash<std::uint64_t>{}(client.bits); }
  };

  const std::size_t connections_max_;
  const std::size_t per_client_max_;
  std::vector<std::unique_ptr<Seat>> seats_;  // by worker
  std::atomic<std::size_t> open_{0};
  std::atomic<bool> is_room_wanted_{false};
  std::mutex clients_mutex_;
  std::unordered_map<ClientKey, std::size_t, Hash> clients_;  // those with a connection
};

}  // namespace holdfast::lb
