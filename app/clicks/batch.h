// Clicks that are stored together: read from entries of the stream or from a journal, written as the arguments of
// ingest_clicks_v1() (app/migrations/0040_clicks.sql).
// Thread: any, one at a time.
#pragma once

#include "app/clicks/entry.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct BatchClick {
  Click click;              // its views point into the batch
  std::string_view record;  // its bytes
  ClickId id{};
  ClickSource source;
  std::uint64_t sequence = 0;
};

/// What cannot be stored, and never will be.
struct DeadClick {
  ClickId id{};
  bool is_entry = false;  // bytes: a whole entry of the stream, else one record
  std::string_view bytes;
  std::string reason{};
  std::string sqlstate{};  // empty: the database was not asked
  std::optional<ClickSource> source{};
  std::uint64_t first = 0;  // its numbers there, which are done with
  std::uint64_t last = 0;
};

class Batch {
 public:
  /// Takes over an entry of the stream. What of it cannot be read is dead from now on.
  void add_entry(std::string bytes);
  /// The same of an entry that shall not be read at all: it has brought down those who tried.
  void add_dead_entry(std::string bytes, std::string reason);
  /// Takes over clicks of a journal.
  void add_records(const Entry& entry);

  bool is_empty() const { return clicks_.empty() && dead_.empty(); }
  std::span<const BatchClick> clicks() const { return clicks_; }
  std::span<const DeadClick> dead() const { return dead_; }
  void clear();

 private:
  void read(const Entry& entry);

  std::deque<std::string> bytes_;  // what the views point into
  std::vector<BatchClick> clicks_;
  std::vector<DeadClick> dead_;
};

/// The fourteen arguments, in order. `worker` is who says so of the dead ones.
std::vector<std::string> ingest_arguments(std::span<const BatchClick> clicks, std::span<const DeadClick> dead,
                                          std::string_view worker);

}  // namespace holdfast::app
