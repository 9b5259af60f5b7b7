#include "app/links/redis_cache.h"

#include "common/log.h"

#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::string_view kTombstone = "!d";
constexpr char kProven = '+';
constexpr char kUnproven = '?';

/// So long a Redis that refused a write is left alone before the feed is replayed to it.
constexpr auto kRefusedPause = std::chrono::seconds(5);

std::string seconds(std::chrono::milliseconds ttl) {
  const double spread_ms = static_cast<double>(ttl.count()) * (0.9 + 0.2 * random_share());
  return std::to_string(static_cast<long long>(spread_ms / 1000) + 1);
}

}  // namespace

std::optional<CachedValue> parse_cached(std::string_view value) {
  if (value == kTombstone) return CachedValue{.is_deleted = true, .proof = Proof::Proven, .target = {}};
  if (value.size() < 2 || (value.front() != kProven && value.front() != kUnproven)) return std::nullopt;
  return CachedValue{.is_deleted = false,
                     .proof = value.front() == kProven ? Proof::Proven : Proof::Unproven,
                     .target = value.substr(1)};
}

class RedisCache::Get final : public RedisCommand {
 public:
  Get(std::string_view code, Receiver& receiver) : code_(code), receiver_(receiver) {}

  void on_answer(const RedisAnswer& answer) override {
    if (answer.status == RedisStatus::Value) {
      if (const auto value = parse_cached(answer.text)) {
        return receiver_.on_cached(
            code_, Asked::Hit, {.code = code_, .target = value->target, .is_deleted = value->is_deleted}, value->proof);
      }
    }
    const Asked asked = answer.status == RedisStatus::Nil ? Asked::Miss
                        : answer.is_late                  ? Asked::Timeout
                                                          : Asked::Error;
    receiver_.on_cached(code_, asked, {}, Proof::Unproven);
  }

 private:
  std::string code_;
  Receiver& receiver_;
};

class RedisCache::Set final : public RedisCommand {
 public:
  Set(RedisCache& cache, bool is_writers, std::function<void()> done)
      : cache_(cache), is_writers_(is_writers), done_(std::move(done)) {}

  void on_answer(const RedisAnswer& answer) override {
    if (is_writers_ && answer.status != RedisStatus::Value && answer.status != RedisStatus::Nil) {
      cache_.counters_[AppCounter::RedisWritesMissed].add();
      if (answer.status == RedisStatus::Error) cache_.on_refused(answer.text);
    }
    if (done_) done_();
  }

 private:
  RedisCache& cache_;
  bool is_writers_;
  std::function<void()> done_;
};

/// Answered when all that was sent before it is.
class RedisCache::Barrier final : public RedisCommand {
 public:
  explicit Barrier(RedisCache& cache) : cache_(cache), back_at_(cache.back_at_) {}
  void on_answer(const RedisAnswer& answer) override {
    if (answer.status == RedisStatus::Value && back_at_ == cache_.back_at_) cache_.is_admitted_ = !cache_.was_refused_;
    cache_.is_admitting_ = false;
  }

 private:
  RedisCache& cache_;
  TimePoint back_at_;
};

RedisCache::RedisCache(Redis& redis, RedisCacheSettings settings, AppCounters& counters)
    : redis_(redis), settings_(std::move(settings)), counters_(counters) {
  redis_.set_user(this);
}

RedisCache::~RedisCache() { redis_.set_user(nullptr); }

std::string RedisCache::key_of(std::string_view code) const {
  std::string key = settings_.prefix;
  key += ':';  // behind the default domain, which is empty
  return key += code;
}

bool RedisCache::ask(std::string_view code, Receiver& receiver) {
  return is_available() && redis_.send(std::make_unique<Get>(code, receiver), {"GET", key_of(code)});
}

void RedisCache::fill(std::string_view code, std::string_view target, Proof proof) {
  std::string value(1, proof == Proof::Proven ? kProven : kUnproven);
  value += target;
  write(code, value, proof == Proof::Proven ? settings_.ttl : settings_.ttl_unproven, true, nullptr);
}

void RedisCache::put(std::string_view code, std::string_view target, std::function<void()> done) {
  std::string value(1, kProven);
  value += target;
  write(code, value, settings_.ttl, false, std::move(done));
}

void RedisCache::bury(std::string_view code, std::function<void()> done) {
  write(code, kTombstone, settings_.ttl_tombstone, false, std::move(done));
}

void RedisCache::forget(std::string_view code, std::function<void()> done) {
  if (redis_.is_available() && redis_.send(std::make_unique<Set>(*this, true, done), {"DEL", key_of(code)})) return;
  on_not_sent();
  if (done) done();
}

void RedisCache::write(std::string_view code, std::string_view value, std::chrono::milliseconds ttl, bool only_new,
                       std::function<void()> done) {
  if (redis_.is_available()) {
    const std::string key = key_of(code);
    const std::string limit = seconds(ttl);
    auto set = std::make_unique<Set>(*this, !only_new, done);
    const bool is_sent = only_new ? redis_.send(std::move(set), {"SET", key, value, "EX", limit, "NX"})
                                  : redis_.send(std::move(set), {"SET", key, value, "EX", limit});
    if (is_sent) return;
  }
  if (!only_new) on_not_sent();
  if (done) done();
}

void RedisCache::on_not_sent() {
  counters_[AppCounter::RedisWritesMissed].add();
  if (redis_.is_available()) on_refused("too many commands are under way");
}

void RedisCache::on_change(std::string_view code, bool is_deleted, std::uint64_t) {
  is_deleted ? bury(code, nullptr) : forget(code, nullptr);
}

/// What refused a write may take some again after a while.
void RedisCache::on_caught_up(const FeedMark&) {
  if (was_refused_ && !is_admitted_ && !is_replaying_ && redis_.is_available() &&
      redis_.now() - back_at_ >= kRefusedPause) {
    on_redis_back();
  }
}

/// Deletions too: that the link is there again, another one under the same code, only the primary can tell.
void RedisCache::on_past_change(std::string_view code, std::uint64_t) {
  if (!is_admitted_ && redis_.is_available()) forget(code, nullptr);
}

void RedisCache::on_replayed(const FeedMark& mark) {
  if (!is_replaying_ || mark.asked_at < back_at_) return;
  is_replaying_ = false;
  if (is_admitted_ || is_admitting_ || was_refused_ || !redis_.is_available()) return;
  is_admitting_ = redis_.send(std::make_unique<Barrier>(*this), {"PING"});
}

void RedisCache::on_redis_back() {
  back_at_ = redis_.now();
  was_refused_ = false;
  is_replaying_ = replay_feed_ != nullptr;
  is_admitted_ = !is_replaying_;
  if (is_replaying_) replay_feed_();
}

/// A Redis that takes no writes (it is full, or has become a replica) may have what is no longer true.
void RedisCache::on_refused(std::string_view why) {
  log::warn_limited("redis refused a write", "redis", {{"why", why}});
  was_refused_ = true;
  is_admitted_ = is_admitted_ && replay_feed_ == nullptr;
}

}  // namespace holdfast::app
