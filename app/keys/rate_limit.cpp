#include "app/keys/rate_limit.h"

#include "app/store/hashes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace holdfast::app {
namespace {

/// Redis' own clock, so that instances need not agree on the time. A bucket that is full again is forgotten.
constexpr std::string_view kScript = R"(
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local was = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(was[1]) or burst, tonumber(was[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local allowed = 0
if tokens >= 1 then
  tokens = tokens - 1
  allowed = 1
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 1000)
return allowed .. ' ' .. tokens
)";

}  // namespace

RateVerdict verdict_of(bool is_allowed, double tokens, const RateRule& rule) {
  const auto rate = static_cast<double>(rule.per_second);
  const double missing = std::max(0.0, static_cast<double>(rule.burst) - tokens);
  RateVerdict verdict{.is_allowed = is_allowed,
                      .limit = rule.burst,
                      .remaining = static_cast<std::size_t>(std::max(0.0, tokens)),
                      .reset_seconds = static_cast<std::size_t>(std::ceil(missing / rate)),
                      .retry_seconds = 0};
  if (!is_allowed) verdict.retry_seconds = static_cast<std::size_t>(std::max(1.0, std::ceil((1 - tokens) / rate)));
  return verdict;
}

struct RateLimit::Asked {
  std::string who;
  RateRule rule;
  std::unique_ptr<RateUser> user;
};

/// One run of the script; sent whole where Redis does not know it yet.
class RateLimit::Run final : public RedisCommand {
 public:
  Run(RateLimit& limit, std::shared_ptr<Asked> asked) : limit_(limit), asked_(std::move(asked)) {}

  void on_answer(const RedisAnswer& answer) override {
    if (answer.status == RedisStatus::Error && answer.text.starts_with("NOSCRIPT")) {
      return limit_.run("EVAL", kScript, std::move(asked_));
    }
    if (answer.status != RedisStatus::Value || answer.text.size() < 3) return limit_.decide_locally(*asked_);
    const double tokens = std::strtod(std::string(answer.text.substr(2)).c_str(), nullptr);
    asked_->user->on_rate(verdict_of(answer.text.front() == '1', tokens, asked_->rule));
  }

 private:
  RateLimit& limit_;
  std::shared_ptr<Asked> asked_;
};

RateLimit::RateLimit(Loop& loop, Redis* redis, std::string prefix)
    : loop_(loop), redis_(redis), prefix_(std::move(prefix)), script_sha1_(sha1_hex(kScript)) {}

void RateLimit::take(const std::string& who, const RateRule& rule, std::unique_ptr<RateUser> user) {
  if (rule.per_second == 0) return user->on_rate({});
  run("EVALSHA", script_sha1_, std::make_shared<Asked>(Asked{.who = who, .rule = rule, .user = std::move(user)}));
}

void RateLimit::run(std::string_view how, std::string_view script, std::shared_ptr<Asked> asked) {
  const std::string key = prefix_ + asked->who;
  const std::string rate = std::to_string(asked->rule.per_second);
  const std::string burst = std::to_string(asked->rule.burst);
  const bool is_sent =
      redis_ != nullptr && redis_->send(std::make_unique<Run>(*this, asked), {how, script, "1", key, rate, burst});
  if (!is_sent) decide_locally(*asked);
}

void RateLimit::decide_locally(Asked& asked) {
  const TimePoint now = loop_.now();
  if (local_.size() >= kLocalMax && !local_.contains(asked.who)) {
    std::erase_if(local_, [&](const auto& each) { return each.second.is_full(now); });
    if (local_.size() >= kLocalMax) local_.erase(local_.begin());
  }
  const auto fresh = TokenBucket(static_cast<double>(asked.rule.per_second), static_cast<double>(asked.rule.burst));
  TokenBucket& bucket = local_.try_emplace(asked.who, fresh).first->second;
  const bool is_allowed = bucket.take(now);
  asked.user->on_rate(verdict_of(is_allowed, bucket.tokens(), asked.rule));
}

}  // namespace holdfast::app
