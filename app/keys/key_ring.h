// All valid API keys in this process, by their hashes: judging one asks no store, and works while all of them are away.
// A number on the primary says whether a key was made, changed or revoked; it is asked for every 250 ms, so a revoked
// key is refused within half a second. Where the primary is away (then nobody can revoke one) a replica is asked.
// Thread: the loop's.
#pragma once

#include "app/keys/api_key.h"
#include "app/store/postgres.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast::app {

struct KeyRingSettings {
  std::chrono::milliseconds interval{250};
  std::chrono::milliseconds deadline{1'000};
  std::chrono::milliseconds stale_max{24 * 3'600'000};  // without a word from any database for so long, no key is known
};

class KeyRing {
 public:
  enum class Verdict : std::uint8_t { Valid, Invalid, Unknown };  // Unknown: the keys cannot be read
  struct Judged {
    Verdict verdict = Verdict::Unknown;
    const ApiKey* key = nullptr;  // with Valid; good until the loop turns
  };

  /// `elsewhere` names the replica to ask while the primary is away; null where there is none.
  KeyRing(Loop& loop, Timeouts& timeouts, const KeyRingSettings& settings, Postgres& primary,
          std::function<Postgres*()> elsewhere);

  void start();
  bool has_read() const { return version_ != 0; }
  Judged judge(std::string_view key, std::chrono::system_clock::time_point now) const;
  std::size_t keys() const { return keys_.size(); }

 private:
  class Read;
  void on_timer();
  void on_answer(const PgAnswer& answer, bool is_primary);

  Loop& loop_;
  KeyRingSettings settings_;
  Postgres& primary_;
  std::function<Postgres*()> elsewhere_;
  TimeoutClass& timeouts_;
  Timeout timer_;
  std::unordered_map<std::string, ApiKey> keys_;  // by their hashes
  std::int64_t version_ = 0;                      // 0: nothing was read yet
  TimePoint read_at_{};
  bool is_reading_ = false;
};

}  // namespace holdfast::app
