// Who has waited longest in each worker: a place that frees in one worker goes to whoever came first, in whichever.
// Thread: each worker writes its own line; any reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace holdfast::lb {

class WaitingBoard {
 public:
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  explicit WaitingBoard(std::size_t worker_count) : lines_(worker_count) {}

  /// What wakes a worker. Before any of them runs.
  void set_waker(std::size_t worker, void (*its_wake)(void* owner), void* owner) {
    lines_[worker].wake = its_wake;
    lines_[worker].owner = owner;
  }
  /// Thread: any. Tickets grow: the lower one came first.
  std::uint64_t next_ticket() { return last_ticket_.fetch_add(1, std::memory_order_relaxed) + 1; }
  /// The first who waits in this worker; 0: nobody does. In one order with Server's slots: who waits either sees a
  /// place that frees, or is seen by whoever frees it.
  void publish(std::size_t worker, std::uint64_t ticket) { lines_[worker].first.store(ticket); }
  /// The worker in which somebody has waited longest.
  std::size_t oldest() const {
    std::size_t found = kNobody;
    std::uint64_t lowest = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const std::uint64_t ticket = lines_[i].first.load();
      if (ticket == 0 || (found != kNobody && ticket >= lowest)) continue;
      found = i;
      lowest = ticket;
    }
    return found;
  }
  /// Thread: any.
  void wake(std::size_t worker) const {
    if (lines_[worker].wake != nullptr) lines_[worker].wake(lines_[worker].owner);
  }

 private:
  struct alignas(64) Line {
    std::atomic<std::uint64_t> first{0};
    void (*wake)(void* owner) = nullptr;
    void* owner = nullptr;
  };
  std::vector<Line> lines_;
  std::atomic<std::uint64_t> last_ticket_{0};
};

}  // namespace holdfast::lb
