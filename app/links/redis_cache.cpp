#include "app/links/redis_cache.h"

#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::string_view kTombstone = "!d";
constexpr char kProven = '+';
constexpr char kUnproven = '?';

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
  Set(RedisCache& cache, Missed what, bool is_writers, std::function<void()> done)
      : cache_(cache), what_(std::move(what)), is_writers_(is_writers), done_(std::move(done)) {}

  void on_answer(const RedisAnswer& answer) override {
    if (is_writers_ && answer.status == RedisStatus::Lost) cache_.on_missed(std::move(what_));
    if (done_) done_();
  }

 private:
  RedisCache& cache_;
  Missed what_;
  bool is_writers_;
  std::function<void()> done_;
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
  return redis_.is_available() && redis_.send(std::make_unique<Get>(code, receiver), {"GET", key_of(code)});
}

void RedisCache::fill(std::string_view code, std::string_view target, Proof proof) {
  std::string value(1, proof == Proof::Proven ? kProven : kUnproven);
  value += target;
  write({std::string(code), std::move(value), proof == Proof::Proven ? settings_.ttl : settings_.ttl_unproven}, true,
        nullptr);
}

void RedisCache::put(std::string_view code, std::string_view target, std::function<void()> done) {
  std::string value(1, kProven);
  value += target;
  write({std::string(code), std::move(value), settings_.ttl}, false, std::move(done));
}

void RedisCache::bury(std::string_view code, std::function<void()> done) {
  write({std::string(code), std::string(kTombstone), settings_.ttl_tombstone}, false, std::move(done));
}

void RedisCache::write(Missed what, bool only_new, std::function<void()> done) {
  const std::string key = key_of(what.code);
  const std::string value = what.value;
  const std::string ttl = seconds(what.ttl);
  bool is_sent = false;
  if (redis_.is_available()) {
    auto set = std::make_unique<Set>(*this, what, !only_new, done);
    is_sent = only_new ? redis_.send(std::move(set), {"SET", key, value, "EX", ttl, "NX"})
                       : redis_.send(std::move(set), {"SET", key, value, "EX", ttl});
  }
  if (is_sent) return;
  if (!only_new) on_missed(std::move(what));
  if (done) done();
}

/// A link that Redis does not know is found elsewhere; one that it knows and should not is to be put right.
void RedisCache::on_missed(Missed what) {
  counters_[AppCounter::RedisWritesMissed].add();
  if (what.value != kTombstone) return;
  if (missed_.size() >= settings_.missed_max) missed_.pop_front();
  missed_.push_back(std::move(what));
}

void RedisCache::on_redis_back() {
  for (Missed& what : std::exchange(missed_, {})) write(std::move(what), false, nullptr);
}

}  // namespace holdfast::app
