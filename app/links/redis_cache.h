// Links in Redis, shared by all instances. Redis may be away, empty or older than it was at any time; what must not
// happen is that it comes back with a link that was changed or deleted meanwhile. So whenever its connection is new,
// the whole feed is replayed to it before it is asked anything; and each instance applies what the feed tells, so that
// none depends on the one that made the change. Thread: the loop's.
#pragma once

#include "app/links/feed.h"
#include "app/links/stores.h"
#include "app/metrics.h"
#include "app/store/redis.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

struct RedisCacheSettings {
  std::string prefix = "holdfast:link:";  // then the domain, ':', the code
  std::chrono::milliseconds ttl{24 * 3600'000};
  std::chrono::milliseconds ttl_unproven{60'000};
  std::chrono::milliseconds ttl_tombstone{3600'000};
};

/// What stands under a code: `+target`, `?target` where a replica said so, `!d` for a deleted link.
struct CachedValue {
  bool is_deleted = false;
  Proof proof = Proof::Proven;
  std::string_view target;
};
std::optional<CachedValue> parse_cached(std::string_view value);

class RedisCache final : public SharedCache, public FeedUser, private Redis::User {
 public:
  RedisCache(Redis& redis, RedisCacheSettings settings, AppCounters& counters);
  ~RedisCache();
  RedisCache(const RedisCache&) = delete;
  RedisCache& operator=(const RedisCache&) = delete;

  /// From now on what is in Redis is used only after the feed was replayed to it, which `replay` begins.
  void expect_feed(std::function<void()> replay) { replay_feed_ = std::move(replay); }

  bool is_available() const override { return redis_.is_available() && is_admitted_; }
  bool ask(std::string_view code, Receiver& receiver) override;
  void fill(std::string_view code, std::string_view target, Proof proof) override;
  void put(std::string_view code, std::string_view target, std::function<void()> done) override;
  void bury(std::string_view code, std::function<void()> done) override;
  void forget(std::string_view code, std::function<void()> done) override;

  void on_change(std::string_view code, bool is_deleted, std::uint64_t lsn) override;
  void on_caught_up(const FeedMark& mark) override;
  void on_past_change(std::string_view code, std::uint64_t lsn) override;
  void on_replayed(const FeedMark& mark) override;
  void on_new_history() override { on_redis_back(); }

 private:
  class Get;
  class Set;
  class Barrier;

  void on_redis_back() override;
  void write(std::string_view code, std::string_view value, std::chrono::milliseconds ttl, bool only_new,
             std::function<void()> done);
  void on_not_sent();
  void on_refused(std::string_view why);
  std::string key_of(std::string_view code) const;

  Redis& redis_;
  RedisCacheSettings settings_;
  AppCounters& counters_;
  std::function<void()> replay_feed_;
  TimePoint back_at_{};  // or may be better than it was
  bool is_replaying_ = false;
  bool is_admitted_ = false;
  bool is_admitting_ = false;
  bool was_refused_ = false;
};

}  // namespace holdfast::app
