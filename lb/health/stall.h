// Requests are owed and nothing comes: when a server's silence asks for a witness. Pure; time is an argument.
//
// A server that hangs (SIGSTOP, a lock, a garbage collection) keeps its connections: no error tells of it. But while
// it owes answers and others of its pool answer, its silence does. The silence only asks the question: a probe with a
// short time-out decides, so a server that is slow by nature stays.
// Thread: control.
#pragma once

#include "common/loop/loop.h"
#include "lb/pool/server.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace holdfast::lb {

/// What the workers have seen of one server, taken together.
struct ServerActivity {
  std::int64_t awaited = 0;   // requests sent, no response yet
  TimePoint waiting_since{};  // since when a worker has awaited one, without a break; the longest of all
  TimePoint heard{};          // its last byte, to any worker

  /// How long it has owed an answer and said nothing at all.
  std::chrono::milliseconds silence(TimePoint now) const {
    if (awaited <= 0) return std::chrono::milliseconds(0);
    return std::max(now - std::max(waiting_since, heard), std::chrono::milliseconds(0));
  }
};
ServerActivity activity_of(const Server& server);

/// True where `other`, a server that gets requests, shows that not everything stands still: it owes nothing, or has
/// been silent for far less. Where all fall silent together the fault is elsewhere (a database that all of them ask).
inline bool goes_on_beside(const ServerActivity& other, std::chrono::milliseconds silence, TimePoint now) {
  return 2 * other.silence(now) < silence;
}

/// How long a silence is unusual: three times what its slowest answers take, between `least` and a second. Past that
/// the ordinary probes would tell as well.
std::chrono::milliseconds unusual_silence(std::chrono::milliseconds p99, std::chrono::milliseconds least);

/// When to ask for a witness. One silence is asked about less and less often; and whoever was acquitted lately is not
/// suspected again at once, so that long polls do not bring a probe with every pause.
class StallWatch {
 public:
  /// True where a probe shall decide, now, about a silence that has lasted so long.
  bool is_suspect(std::chrono::milliseconds silence, TimePoint now);
  /// It answered.
  void acquit(TimePoint now);

 private:
  static constexpr std::chrono::milliseconds kGapMin{100};
  static constexpr std::chrono::milliseconds kGapMax{400};
  static constexpr std::chrono::milliseconds kForgotten{10'000};
  TimePoint silent_since_{};
  std::chrono::milliseconds patience_{0};  // of that silence
  std::chrono::milliseconds gap_{0};       // after the last acquittal
  TimePoint acquitted_{};
};

}  // namespace holdfast::lb
