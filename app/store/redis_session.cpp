#include "app/store/redis_session.h"

#include <hiredis/hiredis.h>
#include <cerrno>
#include <utility>

namespace holdfast::app {

void RedisAnswerTree::Free::operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
void RedisSession::Free::operator()(redisContext* context) const noexcept { redisFree(context); }

bool RedisValue::is_error() const { return reply_ != nullptr && reply_->type == REDIS_REPLY_ERROR; }
bool RedisValue::is_nil() const { return reply_ == nullptr || reply_->type == REDIS_REPLY_NIL; }

std::string_view RedisValue::text() const {
  return reply_ == nullptr || reply_->str == nullptr ? std::string_view{} : std::string_view(reply_->str, reply_->len);
}

std::int64_t RedisValue::number() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0;
}

std::size_t RedisValue::size() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

RedisValue RedisValue::at(std::size_t index) const {
  return RedisValue(index < size() ? reply_->element[index] : nullptr);
}

tl::expected<RedisSession, std::string> RedisSession::open(const RedisUrl& url, std::chrono::milliseconds timeout) {
  const timeval limit{.tv_sec = static_cast<time_t>(timeout.count() / 1000),
                      .tv_usec = static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  RedisSession session(url.is_unix() ? redisConnectUnixWithTimeout(url.host.c_str(), limit)
                                     : redisConnectWithTimeout(url.host.c_str(), url.port, limit));
  if (session.context_ == nullptr) return tl::unexpected(std::string("out of memory"));
  if (session.context_->err != 0) return tl::unexpected(std::string(session.context_->errstr));
  redisSetTimeout(session.context_.get(), limit);
  if (std::string wrong = session.greet(url); !wrong.empty()) return tl::unexpected(std::move(wrong));
  return session;
}

std::string RedisSession::greet(const RedisUrl& url) {
  const std::string database = std::to_string(url.database);
  std::size_t asked = 1;
  if (!url.password.empty()) {
    put(url.user.empty() ? Words{"AUTH", url.password} : Words{"AUTH", url.user, url.password});
    ++asked;
  }
  if (url.database != 0) {
    put({"SELECT", database});
    ++asked;
  }
  put({"PING"});
  while (asked-- > 0) {
    const auto answer = take();
    if (!answer) return answer.error();
    if (answer->value().is_error()) return std::string(answer->value().text());
  }
  return {};
}

void RedisSession::put(const Words& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(), sizes.data());
}

tl::expected<RedisAnswerTree, std::string> RedisSession::take() {
  void* reply = nullptr;
  if (redisGetReply(context_.get(), &reply) == REDIS_OK) return RedisAnswerTree(static_cast<redisReply*>(reply));
  const bool is_late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  return tl::unexpected(is_late ? std::string("it did not answer in time") : std::string(context_->errstr));
}

tl::expected<RedisAnswerTree, std::string> RedisSession::run(const Words& words) {
  put(words);
  return take();
}

}  // namespace holdfast::app
