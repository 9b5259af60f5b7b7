// The access log: each worker puts its lines into a ring of its own, one thread writes what lies there. A disk or a
// pipe that stands still holds up no request: what finds no room is dropped, and counted.
#pragma once

#include "common/metrics/counter.h"
#include "common/result.h"
#include "lb/access_log/line.h"
#include "lb/access_log/ring.h"
#include "lb/pool/settings.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::lb {

/// A worker's end of it. Thread: that worker; the counters any.
class AccessLogChannel {
 public:
  AccessLogChannel(AccessFormat format, int wake_fd);

  /// Neither waits nor, once warm, allocates.
  void write(const AccessEntry& entry);

  Counter lines;    // taken
  Counter dropped;  // not taken, for want of room

 private:
  friend class AccessLog;

  AccessFormat format_;
  int wake_fd_;
  SecondText second_;
  std::string line_;
  std::size_t uncalled_bytes_ = 0;  // since the writing thread was called
  ByteRing ring_;
};

class AccessLog {
 public:
  /// Whether open() would succeed; opens and creates nothing.
  static Result<void> check(const AccessLogSettings& settings);
  /// Opens where the settings say; null where there is to be none. An error says why it can't be written there.
  /// Owned by the control thread; it must outlive the workers.
  static Result<std::unique_ptr<AccessLog>> open(const AccessLogSettings& settings, std::size_t worker_count);
  /// Writes what is left, as far as that goes within a second.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  AccessLogChannel& channel(std::size_t worker) { return *channels_[worker]; }
  const std::vector<std::unique_ptr<AccessLogChannel>>& channels() const { return channels_; }
  /// The file was moved away: begins a new one of its name. Thread: any.
  void reopen();
  /// Lines that could not be written. Thread: any.
  std::uint64_t lost() const { return lost_.value(); }

 private:
  AccessLog(const AccessLogSettings& settings, std::size_t worker_count, int file, int wake_fd);
  void run();
  void call();
  void reopen_file();
  bool write_all();
  std::size_t write_some(std::string_view bytes);

  const AccessLogSettings settings_;
  std::vector<std::unique_ptr<AccessLogChannel>> channels_;
  int file_;
  const int wake_fd_;  // an eventfd: there is much to write, or something was asked
  bool is_regular_file_ = false;
  Counter lost_;
  std::atomic<bool> must_reopen_{false};
  std::atomic<bool> must_end_{false};
  std::thread thread_;
};

}  // namespace holdfast::lb
