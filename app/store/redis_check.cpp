#include "app/store/redis_check.h"

#include <hiredis/hiredis.h>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace holdfast::app {
namespace {

struct Free {
  void operator()(redisContext* context) const noexcept { redisFree(context); }
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, Free>;
using Reply = std::unique_ptr<redisReply, Free>;

Reply ask(redisContext& context, std::initializer_list<std::string_view> words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  return Reply(
      static_cast<redisReply*>(redisCommandArgv(&context, static_cast<int>(texts.size()), texts.data(), sizes.data())));
}

std::string_view text_of(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view{} : std::string_view(reply.str, reply.len);
}

/// What INFO says of `name`.
std::string_view info(std::string_view all, std::string_view name) {
  const auto at = all.find(std::string("\n") + std::string(name) + ":");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = all.substr(at + name.size() + 2);
  return rest.substr(0, rest.find('\r'));
}

/// Runs commands until one fails; what it said then.
std::string greet(redisContext& context, const RedisUrl& url) {
  const std::string database = std::to_string(url.database);
  Reply reply;
  if (!url.password.empty()) {
    reply = url.user.empty() ? ask(context, {"AUTH", url.password}) : ask(context, {"AUTH", url.user, url.password});
  }
  const bool is_in = reply == nullptr ? url.password.empty() : reply->type != REDIS_REPLY_ERROR;
  if (is_in && url.database != 0) reply = ask(context, {"SELECT", database});
  if (is_in && (reply == nullptr || reply->type != REDIS_REPLY_ERROR)) reply = ask(context, {"PING"});
  if (reply == nullptr) return context.errstr;
  return reply->type == REDIS_REPLY_ERROR ? std::string(text_of(*reply)) : std::string();
}

}  // namespace

RedisFindings check_redis(const RedisUrl& url, std::chrono::milliseconds timeout) {
  const timeval limit{.tv_sec = static_cast<time_t>(timeout.count() / 1000),
                      .tv_usec = static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  const Context context(url.is_unix() ? redisConnectUnixWithTimeout(url.host.c_str(), limit)
                                      : redisConnectWithTimeout(url.host.c_str(), url.port, limit));
  if (context == nullptr) return {.wrong = "out of memory", .version = {}, .advice = {}};
  if (context->err != 0) return {.wrong = context->errstr, .version = {}, .advice = {}};
  redisSetTimeout(context.get(), limit);
  RedisFindings findings{.wrong = greet(*context, url), .version = {}, .advice = {}};
  if (!findings.wrong.empty()) return findings;
  const Reply all = ask(*context, {"INFO"});
  if (all == nullptr || all->type == REDIS_REPLY_ERROR) return findings;
  findings.version = info(text_of(*all), "redis_version");
  if (info(text_of(*all), "role") == "slave") findings.wrong = "it is a replica, and takes no writes";
  const std::string_view policy = info(text_of(*all), "maxmemory_policy");
  if (info(text_of(*all), "maxmemory") == "0") {
    findings.advice.push_back("it has no maxmemory: set one, or a busy site fills the machine");
  } else if (!policy.empty() && policy != "volatile-lfu" && policy != "volatile-lru" && policy != "volatile-ttl") {
    findings.advice.push_back("its maxmemory-policy is " + std::string(policy) +
                              "; volatile-lfu puts out cached links, and never clicks");
  }
  if (info(text_of(*all), "aof_enabled") == "0") {
    findings.advice.push_back("appendonly is off: clicks that are queued there are sent again after its restart");
  }
  return findings;
}

}  // namespace holdfast::app
