// A worker's thread: takes entries from the stream, stores them in batches, and only then takes them off it. What other
// workers took and left is taken over; while the primary is away, or storing is paused, it holds what it has and waits.
// Thread: one of its own, which may wait; what is under "Thread: any" any.
#pragma once

#include "app/clicks/ingest.h"
#include "app/clicks/settings.h"
#include "app/store/redis_session.h"
#include "common/metrics/counter.h"
#include "common/metrics/histogram.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::app {

/// What a worker counts and sees.
struct ConsumerCounts {
  Counter stored;
  Counter duplicates;
  Counter dead;
  Counter batches;
  Counter taken_over;  // entries
  Counter retries;     // of batches that could not be stored
  Gauge batch_clicks;  // of the last batch
  Gauge held;          // clicks taken off the stream's front, and not yet stored
  Histogram batch_time;
  Gauge last_commit_ms;     // since 1970
  Gauge queue_entries;      // in the stream
  Gauge queue_pending;      // of those, taken by some worker
  Gauge queue_oldest_ms;    // when the oldest was sent; 0: there is none
  Gauge dead_letters;       // in the database
  Gauge waiting;            // clicks that instances have said are not stored
  Gauge waiting_oldest_ms;  // when the oldest of those was made; 0: there is none
  Gauge unplaced;           // rows in clicks_other, 1 where there are any
  Gauge is_paused;
};

struct ConsumerPlaces {
  RedisUrl redis;
  PostgresDsn primary;
  std::string name;  // of this worker; no other has it
};

class Consumer {
 public:
  /// Told when something it depends on comes or goes; from its own thread.
  using Tell = std::function<void(std::string_view dependency, bool is_up, std::string why)>;

  Consumer(const ClicksSettings& clicks, const WorkerSettings& settings, ConsumerPlaces places, Tell tell);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  void start();
  /// Stores the batch at hand, takes nothing more, and then calls `ended` from its thread.
  void stop(std::function<void()> ended);
  /// Gives up what it is at: others will take it over.
  void cancel() { is_cancelled_ = true; }

  // --- Thread: any ---
  const ConsumerCounts& counts() const { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Taken {
    std::string id;
    std::string bytes;
    bool is_readable = true;  // it has our field
    std::int64_t deliveries = 1;
  };

  void run();
  bool is_stopping();
  void sleep(std::chrono::milliseconds time);
  bool has_redis();
  void lose_redis(std::string_view why);
  bool make_group();
  static std::vector<Taken> entries_of(const RedisValue& list);
  std::string entries_wanted() const;
  void gather();
  bool read_new(std::chrono::milliseconds wait);
  bool take_over();
  void count_deliveries(std::vector<Taken>& entries);
  void add(std::vector<Taken> entries);
  bool store();
  void keep_hold();
  void acknowledge();
  void leave();
  void look();
  void make_partitions();

  const ClicksSettings& clicks_;
  WorkerSettings settings_;
  ConsumerPlaces places_;
  Tell tell_;
  Ingest ingest_;
  std::optional<RedisSession> redis_;
  Clock::time_point redis_retry_at_{};
  Clock::time_point next_take_over_{};
  Clock::time_point next_look_{};
  Clock::time_point next_partitions_{};
  Batch batch_;
  double clicks_an_entry_ = 500;   // as the last ones were
  std::vector<std::string> ids_;   // of the batch's entries
  std::vector<std::string> done_;  // stored, and still in the stream
  ConsumerCounts counts_;

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;
  std::function<void()> ended_;
  std::atomic<bool> is_cancelled_{false};
};

}  // namespace holdfast::app
