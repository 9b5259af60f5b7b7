// Visits, counted in memory and written to the primary a few times a second: a redirect waits for nothing. A batch goes
// out again until the primary has it, under the same number, so it counts once. What is in memory dies with a process
// that is killed; one that is told to end writes it first.
// Thread: the loop's.
#pragma once

#include "app/metrics.h"
#include "app/store/postgres.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace holdfast::app {

struct VisitsSettings {
  std::chrono::milliseconds flush_interval{200};
  std::chrono::milliseconds deadline{2'000};  // of one batch
  std::size_t codes_max = 100'000;            // in memory at once
};

class Visits {
 public:
  static constexpr std::size_t kBatchMax = 1'000;

  Visits(Timeouts& timeouts, const VisitsSettings& settings, Postgres& primary, AppCounters& counters);

  /// Counts one visit. Allocates nothing for a code that was visited since the last batch.
  void count(std::string_view code);

  /// Calls `done` when nothing is left to write. From then on nothing more should be counted.
  void drain(std::function<void()> done);

  std::size_t waiting() const { return waiting_.size(); }

 private:
  class Batch;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void on_timer();
  void flush();
  void on_answer(bool is_counted);

  TimeoutClass& timeouts_;
  VisitsSettings settings_;
  Postgres& primary_;
  AppCounters& counters_;
  Timeout timer_;
  std::string instance_;
  std::uint64_t sequence_ = 0;
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> waiting_;
  std::vector<std::pair<std::string, std::uint64_t>> batch_;  // goes out, again and again, until it is counted
  bool is_in_flight_ = false;
  std::function<void()> drained_;
};

}  // namespace holdfast::app
