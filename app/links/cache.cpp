#include "app/links/cache.h"

#include <utility>

namespace holdfast::app {
namespace {

/// What malloc takes for so many bytes: its own word in front, rounded up.
constexpr std::size_t allocated(std::size_t bytes) { return (bytes + sizeof(void*) + 15) / 16 * 16; }

/// The map's node (its next, its hash, the key, the value), and its share of the buckets, which double when they are
/// too few.
constexpr std::size_t kMapBytes = allocated(3 * sizeof(void*) + sizeof(std::string_view)) + 2 * sizeof(void*);

std::size_t heap_bytes(const std::string& text) {
  return text.capacity() > std::string().capacity() ? allocated(text.capacity() + 1) : 0;
}

}  // namespace

CacheEntry* LinkCache::find(std::string_view code, TimePoint now) {
  const auto found = by_code_.find(code);
  if (found == by_code_.end()) return nullptr;
  CacheEntry& entry = *found->second;
  if (now - entry.filled_at > settings_.stale_max) {
    remove(entry);
    return nullptr;
  }
  entry.was_hit = true;
  return &entry;
}

void LinkCache::fill(std::string_view code, std::string_view target, Proof proof, TimePoint now, double jitter) {
  const auto found = by_code_.find(code);
  if (found != by_code_.end() && found->second->is_deleted && is_fresh(*found->second, now)) return;
  set_times(make(code, target, false), proof == Proof::Proven ? settings_.ttl : settings_.ttl_unproven, now, jitter);
}

void LinkCache::put(std::string_view code, std::string_view target, TimePoint now, double jitter) {
  set_times(make(code, target, false), settings_.ttl, now, jitter);
}

void LinkCache::bury(std::string_view code, TimePoint now, double jitter) {
  set_times(make(code, {}, true), settings_.ttl, now, jitter);
}

void LinkCache::forget(std::string_view code) {
  const auto found = by_code_.find(code);
  if (found != by_code_.end()) remove(*found->second);
}

void LinkCache::forget_all() {
  while (!by_age_.empty()) remove(*by_age_.back());
}

void LinkCache::set_times(CacheEntry& entry, std::chrono::milliseconds ttl, TimePoint now, double jitter) {
  const std::chrono::milliseconds fresh = spread(ttl, jitter);
  entry.filled_at = now;
  entry.fresh_until = now + fresh;
  entry.refresh_at = now + fresh * 4 / 5;
}

/// The entry of `code` with these contents, a new one where there is none.
CacheEntry& LinkCache::make(std::string_view code, std::string_view target, bool is_deleted) {
  const auto found = by_code_.find(code);
  if (found != by_code_.end() && found->second->target == target && found->second->is_deleted == is_deleted) {
    return *found->second;
  }
  const bool was_hit = found != by_code_.end() && found->second->was_hit;
  if (found != by_code_.end()) remove(*found->second);
  auto made = std::make_unique<CacheEntry>();
  made->code = code;
  made->target = target;
  made->is_deleted = is_deleted;
  made->was_hit = was_hit;
  CacheEntry& entry = *made;
  const std::size_t added_bytes = bytes_of(entry);
  while (bytes_ + added_bytes > settings_.bytes_max && !by_age_.empty()) evict_one();
  bytes_ += added_bytes;
  by_age_.push_front(entry);
  by_code_.emplace(entry.code, std::move(made));
  return entry;
}

void LinkCache::remove(CacheEntry& entry) {
  if (hand_ == &entry) hand_ = by_age_.previous(entry);
  bytes_ -= bytes_of(entry);
  entry.unlink();
  by_code_.erase(by_code_.find(entry.code));
}

/// SIEVE (Zhang et al., NSDI 2024): what was hit since the hand's last visit is passed over, once.
void LinkCache::evict_one() {
  CacheEntry* entry = hand_ == nullptr ? by_age_.back() : hand_;
  while (entry->was_hit) {
    entry->was_hit = false;
    entry = by_age_.previous(*entry);
    if (entry == nullptr) entry = by_age_.back();
  }
  hand_ = entry;
  ++evictions_;
  remove(*entry);
}

std::size_t LinkCache::bytes_of(const CacheEntry& entry) {
  return allocated(sizeof(CacheEntry)) + kMapBytes + heap_bytes(entry.code) + heap_bytes(entry.target);
}

/// ±10 %, so that what was filled in together is not asked for together.
std::chrono::milliseconds LinkCache::spread(std::chrono::milliseconds ttl, double jitter) {
  const double spread_ms = static_cast<double>(ttl.count()) * (0.9 + 0.2 * jitter);
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(spread_ms));
}

}  // namespace holdfast::app
