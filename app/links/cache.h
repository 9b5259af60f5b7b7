// Links in this process: bounded in bytes, fresh for a while from the time they were filled in (a hit prolongs
// nothing), kept beyond that for the hours when every store is away. Eviction is SIEVE: a hit sets one bit, nothing
// moves. Thread: the loop's; each loop has its own.
#pragma once

#include "common/loop/loop.h"
#include "common/memory/list.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast::app {

struct CacheSettings {
  std::size_t bytes_max = 64 * 1024 * 1024;
  std::chrono::milliseconds ttl{30'000};          // of what is proven to be the truth
  std::chrono::milliseconds ttl_unproven{5'000};  // of what a replica said that may be behind
  std::chrono::milliseconds stale_max{24 * 3600'000};
};

/// Whether what is filled in is known to be the primary's present word.
enum class Proof { Proven, Unproven };

struct CacheEntry : ListHook<CacheEntry> {
  std::string code;
  std::string target;  // empty for a deleted link
  bool is_deleted = false;
  bool was_hit = false;  // since the hand last passed
  TimePoint filled_at{};
  TimePoint fresh_until{};
  TimePoint refresh_at{};  // from here on a hit has it looked up anew, before it is too old
};

class LinkCache {
 public:
  explicit LinkCache(const CacheSettings& settings) : settings_(settings) {}

  /// Null where the code is unknown here, or too old for anything. Ask is_fresh() before serving it as the truth.
  CacheEntry* find(std::string_view code, TimePoint now);
  static bool is_fresh(const CacheEntry& entry, TimePoint now) { return now < entry.fresh_until; }

  /// What a reader found. It never replaces a fresh tombstone: the reader may have looked before the deletion.
  void fill(std::string_view code, std::string_view target, Proof proof, TimePoint now, double jitter);
  /// The writer's own word, or the primary's: this code leads there, is deleted, does not exist.
  void put(std::string_view code, std::string_view target, TimePoint now, double jitter);
  void bury(std::string_view code, TimePoint now, double jitter);
  void forget(std::string_view code);
  void forget_all();

  std::size_t entries() const { return by_code_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t evictions() const { return evictions_; }

 private:
  CacheEntry& make(std::string_view code, std::string_view target, bool is_deleted);
  void remove(CacheEntry& entry);
  void evict_one();
  static std::size_t bytes_of(const CacheEntry& entry);
  void set_times(CacheEntry& entry, std::chrono::milliseconds ttl, TimePoint now, double jitter);
  static std::chrono::milliseconds spread(std::chrono::milliseconds ttl, double jitter);

  CacheSettings settings_;
  std::unordered_map<std::string_view, std::unique_ptr<CacheEntry>> by_code_;  // keys view the entries' own codes
  List<CacheEntry, CacheEntry> by_age_;                                        // newest first
  CacheEntry* hand_ = nullptr;  // goes from the oldest to the newest; null: begins at the oldest
  std::size_t bytes_ = 0;
  std::size_t evictions_ = 0;
};

}  // namespace holdfast::app
