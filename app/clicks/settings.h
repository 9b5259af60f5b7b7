// How clicks are recorded, shipped, stored and kept; app/config.cpp describes each key.
#pragma once

#include "common/net/address.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace holdfast::app {

/// When the kernel is told to bring the journal to the disk. A process that is killed loses nothing either way.
enum class Fsync : std::uint8_t { Off, Interval, Always };

struct JournalSettings {
  std::string folder = "clicks";  // each instance has its own
  std::size_t bytes_max = std::size_t{1024} * 1024 * 1024;
  std::size_t segment_bytes = std::size_t{4} * 1024 * 1024;
  Fsync fsync = Fsync::Off;
};

/// What of a request a click tells.
struct RecorderSettings {
  bool keeps_address = true;  // shortened to /24 or /48
  bool honours_dnt = false;
};

struct ShipperSettings {
  std::chrono::milliseconds interval{100};
  std::size_t rate_max = 50'000;                            // clicks a second
  std::size_t ahead_bytes = std::size_t{32} * 1024 * 1024;  // shipped, and not yet stored
  std::chrono::milliseconds direct_after{30'000};           // Redis away for so long: into the primary
  std::chrono::milliseconds timeout{2'000};                 // of a command to Redis
  std::chrono::milliseconds timeout_batch{20'000};          // of a batch that goes into the primary
};

struct WorkerSettings {
  Address listen;  // not set: no port
  std::size_t batch_clicks = 5'000;
  std::chrono::milliseconds batch_age{200};
  std::chrono::milliseconds takeover_after{30'000};
  std::chrono::milliseconds timeout_batch{20'000};
};

struct ClicksSettings {
  bool records = true;
  std::string stream = "holdfast:clicks";
  JournalSettings journal;
  RecorderSettings recorder;
  ShipperSettings shipper;
};

}  // namespace holdfast::app
