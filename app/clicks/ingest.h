// Stores batches in the primary, each once however often it is given. A record that the database refuses for its own
// sake is found by halving, and becomes a dead letter; the others of its batch are stored.
// Thread: any, one at a time; it blocks, and has no business on a loop.
#pragma once

#include "app/clicks/batch.h"
#include "app/store/session.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace holdfast::app {

struct IngestCounts {
  std::uint64_t stored = 0;
  std::uint64_t duplicates = 0;  // were there already
  std::uint64_t dead = 0;
};

/// What an SQLSTATE says of the records: it is theirs (data, constraints), and not the database's state.
bool is_poison(std::string_view sqlstate);

class Ingest {
 public:
  struct Settings {
    PostgresDsn primary;
    const char* program = "shortener";  // as the server shows it
    std::string worker;                 // who says so of dead letters
    std::chrono::milliseconds timeout{20'000};
    const std::atomic<bool>* cancel = nullptr;
  };

  explicit Ingest(Settings settings) : settings_(std::move(settings)) {}

  /// False: not all of it was stored, why() says why. It may be given again at any time.
  bool store(const Batch& batch, IngestCounts& counts);

  /// Any other statement, within a time of its own; nothing where it did not work.
  std::optional<Rows> run(const char* sql, const std::vector<const char*>& values, std::chrono::milliseconds timeout);

  const std::string& why() const { return why_; }

 private:
  bool store(std::span<const BatchClick> clicks, std::span<const DeadClick> dead, IngestCounts& counts);
  bool is_connected();

  Settings settings_;
  std::optional<Session> session_;
  std::string why_;
};

}  // namespace holdfast::app
