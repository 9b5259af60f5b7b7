// How the queue of clicks is, from the journals of the instances to the tables, as PostgreSQL and Redis know it.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/operate/stores.h"

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

/// An instance's last word on its journal.
struct JournalState {
  std::string instance;
  std::string name;
  std::int64_t epoch = 0;
  std::int64_t written = 0;  // clicks of this epoch
  std::int64_t stored = 0;   // of all epochs
  std::int64_t waiting = 0;
  std::int64_t bytes = 0;
  std::int64_t bytes_max = 0;
  std::int64_t dropped = 0;
  std::optional<double> oldest_seconds;  // the oldest click that waits
  std::string way;                       // stream, direct, or stuck
  double silent_seconds = 0;             // since that word

  bool is_silent() const { return silent_seconds > 10; }
};

/// What the primary knows.
struct StoredState {
  std::vector<JournalState> journals;
  bool is_paused = false;
  std::string why_paused;
  double paused_seconds = 0;
  std::int64_t dead_letters = 0;
  std::int64_t unplaced = 0;  // clicks in no month's table
  double clock = 0;           // seconds of the primary's

  std::int64_t waiting() const;
  std::int64_t written() const;
  std::int64_t stored() const;
  std::optional<double> oldest_seconds() const;
};
tl::expected<StoredState, std::string> read_stored_state(Session& session);

/// What Redis knows.
struct StreamState {
  struct Consumer {
    std::string name;
    std::int64_t pending = 0;
    double idle_seconds = 0;  // since it last asked for more

    bool is_there() const { return idle_seconds < 30; }
  };
  std::int64_t entries = 0;  // waiting, or being stored
  std::int64_t pending = 0;  // given to a worker
  std::int64_t bytes = 0;
  std::vector<Consumer> consumers;  // whoever has been killed is known until another took over what it left

  std::int64_t workers() const;
};
tl::expected<StreamState, std::string> read_stream_state(RedisSession& redis, const std::string& stream);

/// Clicks a second, between two looks; nothing where an instance was restarted in between.
struct Rates {
  double in = 0;
  double out = 0;
};
std::optional<Rates> rates_between(const StoredState& before, const StoredState& after);

/// Until nothing waits at these rates; nothing where that is never.
std::optional<double> seconds_to_drain(std::int64_t waiting, const Rates& rates);

}  // namespace holdfast::app
