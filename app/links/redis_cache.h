// Links in Redis, shared by all instances. Redis may be away or empty at any time; what must not happen is that it
// comes back with a link that was deleted meanwhile: deletions that it missed are told to it before it is asked
// anything. (Those of an instance that died meanwhile it learns when its copies expire, and from the change feed later
// on.) Thread: the loop's.
#pragma once

#include "app/links/stores.h"
#include "app/metrics.h"
#include "app/store/redis.h"

#include <chrono>
#include <deque>
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
  std::size_t missed_max = 10'000;
};

/// What stands under a code: `+target`, `?target` where a replica said so, `!d` for a deleted link.
struct CachedValue {
  bool is_deleted = false;
  Proof proof = Proof::Proven;
  std::string_view target;
};
std::optional<CachedValue> parse_cached(std::string_view value);

class RedisCache final : public SharedCache, private Redis::User {
 public:
  RedisCache(Redis& redis, RedisCacheSettings settings, AppCounters& counters);
  ~RedisCache();
  RedisCache(const RedisCache&) = delete;
  RedisCache& operator=(const RedisCache&) = delete;

  bool ask(std::string_view code, Receiver& receiver) override;
  void fill(std::string_view code, std::string_view target, Proof proof) override;
  void put(std::string_view code, std::string_view target, std::function<void()> done) override;
  void bury(std::string_view code, std::function<void()> done) override;

 private:
  class Get;
  class Set;
  struct Missed {
    std::string code;
    std::string value;
    std::chrono::milliseconds ttl;
  };

  void on_redis_back() override;
  void write(Missed what, bool only_new, std::function<void()> done);
  void on_missed(Missed what);
  std::string key_of(std::string_view code) const;

  Redis& redis_;
  RedisCacheSettings settings_;
  AppCounters& counters_;
  std::deque<Missed> missed_;  // the writers' words that Redis does not have, oldest first
};

}  // namespace holdfast::app
