// How clicks are recorded, shipped, stored and kept; app/config.cpp describes each key.
#pragma once

#include "common/net/address.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::app {

/// When the kernel is told to bring the journal to the disk. A process that is killed loses nothing either way.
enum class Fsync : std::uint8_t { Off, Interval, Always };

struct JournalSettings {
  std::string folder;  // each instance has its own
  std::size_t bytes_max = std::size_t{1024} * 1024 * 1024;
  std::size_t segment_bytes = std::size_t{4} * 1024 * 1024;
  Fsync fsync = Fsync::Off;
};

struct ShipperSettings {
  std::chrono::milliseconds interval{100};
  std::size_t rate_max = 50'000;                     // clicks a second
  std::chrono::milliseconds direct_after{30'000};    // Redis away for so long: into the primary
  std::chrono::milliseconds timeout_command{2'000};  // of the stream's own connection
};

struct WorkerSettings {
  std::string listen;  // empty: no port
  std::size_t batch_clicks = 5'000;
  std::chrono::milliseconds batch_age{200};
  std::chrono::milliseconds takeover_after{30'000};
  std::chrono::milliseconds timeout_batch{20'000};
};

struct ClicksSettings {
  bool record = true;
  bool keep_address = true;  // shortened to /24 or /48
  bool honour_dnt = false;
  std::vector<Network> trusted_proxies;
  std::string stream = "holdfast:clicks";
  JournalSettings journal;
  ShipperSettings shipper;
  WorkerSettings worker;
  std::chrono::milliseconds retention{std::chrono::hours(24 * 90)};
};

}  // namespace holdfast::app
