// One server of a pool: what never changes about it, what the workers read of it, and each worker's counters. It lives
// on in the pool that a reload puts in place of its own. Thread: any reads; each part names its one writer.
#pragma once

#include "lb/metrics.h"
#include "lb/pool/settings.h"
#include "lb/pool/state.h"
#include "lb/pool/waiting_board.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::lb {

/// A place for an attempt at a server.
enum class Slot : std::uint8_t {
  None,       // the server is full
  Uncounted,  // it had no limit
  Counted,    // free_slot() makes room for another
};

class Server {
 public:
  /// Where it has no address yet it is down.
  Server(const ServerSettings& settings, std::size_t worker_count)
      : settings_(settings),
        weight_(settings.weight),
        share_(settings.weight * kShareUnit),
        max_requests_(settings.max_requests),
        is_backup_(settings.is_backup) {
    publish_address(settings.address);
    if (!settings.address.is_set()) publish(State::Down);
    for (std::size_t i = 0; i < worker_count; ++i) counters_.push_back(std::make_unique<ServerCounters>());
  }

  const std::string& name() const { return settings_.name; }
  const std::string& authority() const { return settings_.authority; }
  /// Good for as long as the server is, whatever its address becomes.
  const Address& address() const { return *address_.load(std::memory_order_acquire); }
  /// It has an address, or had one, or stands for its name: else it is only a place for another address of that.
  bool is_known() const { return address().is_set() || settings_.place == 0; }
  /// It is one of the addresses that its name may have.
  bool is_resolved() const { return settings_.is_name; }
  /// Thread: control. Only while no connection to it is open or may be opened.
  void publish_address(const Address& address) {
    const auto same = [&](const auto& known) { return *known == address; };
    auto known = std::find_if(addresses_.begin(), addresses_.end(), same);
    if (known == addresses_.end()) known = addresses_.insert(known, std::make_unique<const Address>(address));
    address_.store(known->get(), std::memory_order_release);
  }
  bool is_backup() const { return is_backup_.load(std::memory_order_relaxed); }

  State state() const { return state_.load(std::memory_order_relaxed); }
  /// Thread: control.
  void publish(State state) { state_.store(state, std::memory_order_relaxed); }

  /// As configured, or as the operator has set it since.
  unsigned weight() const { return weight_.load(std::memory_order_relaxed); }
  /// Its part of the pool's requests beside the others': its weight in hundredths, less while it starts slowly.
  unsigned share() const { return share_.load(std::memory_order_relaxed); }
  /// Thread: control. `percent` of its weight, 1 to 100.
  void publish_weight(unsigned weight, unsigned percent) {
    weight_.store(weight, std::memory_order_relaxed);
    percent_.store(percent, std::memory_order_relaxed);
    share_.store(weight * percent * kShareUnit / 100, std::memory_order_relaxed);
  }
  /// Of its weight: less than 100 while it starts slowly.
  unsigned percent() const { return percent_.load(std::memory_order_relaxed); }
  static constexpr unsigned kShareUnit = 100;

  /// It is the server that `other` describes, whatever else is said of it there.
  bool is_same(const ServerSettings& other) const {
    return settings_.name == other.name && settings_.authority == other.authority && settings_.is_name == other.is_name;
  }
  /// A reload says this of it now. What the operator has set stays where the configuration has not changed. Thread:
  /// control.
  void take(const ServerSettings& now) {
    if (now.weight != settings_.weight) publish_weight(now.weight, percent());
    settings_.weight = now.weight;
    max_requests_.store(now.max_requests, std::memory_order_relaxed);
    is_backup_.store(now.is_backup, std::memory_order_relaxed);
  }

  unsigned max_requests() const { return max_requests_.load(std::memory_order_relaxed); }
  /// Places for attempts, where there is a limit: exact over all workers, and one locked instruction at either end of
  /// an attempt. Without limit there is always room, and nothing is counted.
  bool has_room() const {
    const unsigned most = limit();
    return most == 0 || slots_.load() < most;
  }
  Slot take_slot() {
    const unsigned most = limit();
    if (most == 0) return Slot::Uncounted;
    unsigned taken = slots_.load();
    while (taken < most) {
      if (slots_.compare_exchange_weak(taken, taken + 1)) return Slot::Counted;
    }
    return Slot::None;
  }
  void free_slot(Slot slot) {
    if (slot == Slot::Counted) slots_.fetch_sub(1);
  }

  /// On trial after an ejection: one request at a time, beside those that are still counted from before. Thread:
  /// control.
  void begin_trial() { trial_limit_.store(slots_.load() + 1, std::memory_order_relaxed); }
  void end_trial() { trial_limit_.store(0, std::memory_order_relaxed); }
  bool is_on_trial() const { return trial_limit_.load(std::memory_order_relaxed) > 0; }

  /// Written by that worker alone.
  ServerCounters& counters(std::size_t worker) { return *counters_[worker]; }
  std::span<const std::unique_ptr<ServerCounters>> counters() const { return counters_; }
  /// Connections to it, in use or idle, over all workers.
  std::int64_t connections() const {
    std::int64_t all = 0;
    for (const auto& one : counters_) all += one->connections_active.value() + one->connections_idle.value();
    return all;
  }
  /// Attempts under way, over all workers.
  std::int64_t in_flight() const {
    std::int64_t all = 0;
    for (const auto& one : counters_) all += one->in_flight.value();
    return all;
  }

 private:
  /// 0: none.
  unsigned limit() const {
    const unsigned on_trial = trial_limit_.load(std::memory_order_relaxed);
    const unsigned at_most = max_requests();
    return on_trial == 0 || at_most == 0 ? std::max(on_trial, at_most) : std::min(on_trial, at_most);
  }

  ServerSettings settings_;                                // of its weight, what the configuration says
  std::vector<std::unique_ptr<const Address>> addresses_;  // all that it ever had
  std::atomic<const Address*> address_{nullptr};
  std::atomic<State> state_{State::Unknown};
  std::atomic<unsigned> weight_;
  std::atomic<unsigned> percent_{100};
  std::atomic<unsigned> share_;
  std::atomic<unsigned> max_requests_;
  std::atomic<bool> is_backup_;
  std::atomic<unsigned> slots_{0};
  std::atomic<unsigned> trial_limit_{0};  // 0: it is on no trial
  std::vector<std::unique_ptr<ServerCounters>> counters_;
};

/// A pool: its settings, its servers, each worker's counters.
class ServerPool {
 public:
  /// `before`: the pool of that name so far, whose servers stay as far as they are named again, and which counts on.
  ServerPool(const PoolSettings& settings, std::size_t worker_count, const ServerPool* before = nullptr)
      : settings_(settings), board_(worker_count) {
    std::vector<std::shared_ptr<Server>> known;
    if (before != nullptr) {
      known = before->servers_;
      counters_ = before->counters_;
    }
    for (const ServerSettings& server : settings.servers) {
      for (const ServerSettings& slot : slots_of(server, settings.dns)) {
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&](const auto& one) { return one != nullptr && one->is_same(slot); });
        servers_.push_back(found != known.end() ? std::exchange(*found, nullptr)
                                                : std::make_shared<Server>(slot, worker_count));
        servers_.back()->take(slot);
      }
    }
    while (counters_.size() < worker_count) counters_.push_back(std::make_shared<PoolCounters>());
  }

  const std::string& name() const { return settings_.name; }
  const PoolSettings& settings() const { return settings_; }
  std::span<const std::shared_ptr<Server>> servers() const { return servers_; }
  WaitingBoard& board() { return board_; }
  PoolCounters& counters(std::size_t worker) { return *counters_[worker]; }
  std::span<const std::shared_ptr<PoolCounters>> counters() const { return counters_; }

 private:
  PoolSettings settings_;
  std::vector<std::shared_ptr<Server>> servers_;
  WaitingBoard board_;
  std::vector<std::shared_ptr<PoolCounters>> counters_;
};

}  // namespace holdfast::lb
