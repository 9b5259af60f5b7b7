// Brings clicks from the journal to the workers' stream in Redis, and has the journal cut at what the database has.
// Where Redis has forgotten clicks they are sent again; where it stays away they go into the primary from here.
// Thread: one of its own, which may wait; what is under "Thread: any" any. No request ever waits for it.
#pragma once

#include "app/clicks/ingest.h"
#include "app/clicks/journal.h"
#include "app/clicks/settings.h"
#include "app/clicks/stored_ranges.h"
#include "app/store/redis_session.h"
#include "common/metrics/counter.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::app {

/// Which way clicks take at the moment.
enum class Way : std::uint8_t { Stream, Direct, Stuck };
std::string_view name_of(Way way);

struct ShipperPlaces {
  std::optional<RedisUrl> redis;
  PostgresDsn primary;
  std::string name;  // of this instance, for people
};

class Shipper {
 public:
  Shipper(Journal& journal, const ClicksSettings& settings, ShipperPlaces places);
  ~Shipper();
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  void start();
  /// Sends what is left and gives the workers a moment to store it, two seconds in all. What stays waits in the folder
  /// for the next start.
  void finish();

  // --- Thread: any ---
  Way way() const { return way_.load(std::memory_order_relaxed); }
  std::uint64_t shipped() const { return shipped_.value(); }  // clicks that went into the stream
  std::uint64_t stored_directly() const { return direct_.value(); }
  std::uint64_t resent() const { return resent_.value(); }   // times that Redis had forgotten
  std::int64_t waiting() const { return waiting_.value(); }  // clicks that the database does not have
  /// When the oldest of them was made, in milliseconds since 1970; 0: there is none.
  std::int64_t oldest_ms() const { return oldest_ms_.value(); }

 private:
  using Clock = std::chrono::steady_clock;
  /// An entry that Redis has taken, and the database not yet.
  struct InStream {
    ClickSource source;
    std::uint64_t first;
    std::uint64_t last;
    std::size_t bytes;
    std::int64_t at_ms;
    std::string id;
  };

  void run();
  void turn();
  // The database's word:
  void report();
  std::string entry_that_is_gone();
  void cut_journal();
  void take_word(const Rows& rows);
  void send_again();
  void count_waiting();
  // On the way:
  bool next_frame();
  bool is_done_with(const Frame& frame) const;
  void choose_way();
  void ship();
  bool send_entries();
  void store_directly();
  void sleep(std::chrono::milliseconds time);

  Journal& journal_;
  const ClicksSettings& settings_;
  ShipperPlaces places_;
  JournalReader reader_;
  Ingest ingest_;
  std::optional<RedisSession> redis_;
  Clock::time_point redis_retry_at_{};
  Clock::time_point redis_worked_at_ = Clock::now();
  bool is_refused_ = false;              // Redis is there, and did not take the last entries
  Clock::time_point stream_retry_at_{};  // then it is asked to once more
  Clock::time_point next_direct_{};
  Clock::time_point next_report_{};
  Clock::time_point next_sync_{};
  Clock::time_point last_refill_ = Clock::now();
  double allowance_ = 0;  // clicks that may go now
  bool is_paused_ = false;
  std::map<ClickSource, StoredRanges> stored_;
  std::map<ClickSource, std::uint64_t> in_redis_;  // sent, up to this number
  std::deque<InStream> in_stream_;
  std::size_t in_stream_bytes_ = 0;
  bool has_frame_ = false;  // read, and not yet gone
  ClickSource source_;
  Frame frame_;

  std::atomic<Way> way_{Way::Stream};
  Counter shipped_;
  Counter direct_;
  Counter resent_;
  Gauge waiting_;
  Gauge oldest_ms_;

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable stop_;
  std::condition_variable ended_;
  bool is_stopping_ = false;
  bool has_ended_ = false;
  std::atomic<bool> is_cancelled_{false};
};

}  // namespace holdfast::app
