// How often somebody may call: token buckets in Redis, which all instances share, taken from by one script; while Redis
// is away, buckets of this instance alone.
// Thread: the loop's.
#pragma once

#include "app/store/redis.h"
#include "app/store/token_bucket.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast::app {

struct RateRule {
  std::size_t per_second = 0;  // 0: as often as they like
  std::size_t burst = 1;       // what an untouched bucket holds
};

/// What one call came to.
struct RateVerdict {
  bool is_allowed = true;
  std::size_t limit = 0;          // 0: there is none
  std::size_t remaining = 0;      // calls that may follow at once
  std::size_t reset_seconds = 0;  // until the bucket is full again
  std::size_t retry_seconds = 0;  // until the next call may be made, where this may not
};

/// What `tokens` in a bucket mean to the caller, after the call was `allowed` or not.
RateVerdict verdict_of(bool is_allowed, double tokens, const RateRule& rule);

class RateUser {
 public:
  virtual ~RateUser() = default;
  /// Called once.
  virtual void on_rate(const RateVerdict& verdict) = 0;
};

class RateLimit {
 public:
  static constexpr std::size_t kLocalMax = 10'000;

  /// `redis` may be null.
  RateLimit(Loop& loop, Redis* redis, std::string prefix);

  /// Takes one token of `who`'s bucket and tells `user`, perhaps at once.
  void take(const std::string& who, const RateRule& rule, std::unique_ptr<RateUser> user);
  std::size_t local_buckets() const { return local_.size(); }

 private:
  class Run;
  struct Asked;
  void run(std::string_view how, std::string_view script, std::shared_ptr<Asked> asked);
  void decide_locally(Asked& asked);

  Loop& loop_;
  Redis* redis_;
  std::string prefix_;
  std::string script_sha1_;
  std::unordered_map<std::string, TokenBucket> local_;
};

}  // namespace holdfast::app
