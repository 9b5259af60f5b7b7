#include "app/store/redis.h"

#include "app/store/redis_events.h"

#include <poll.h>
#include <array>
#include <string>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kBreakerFirst = 50ms;
constexpr auto kBreakerMax = 1s;
constexpr auto kSpared = 1ms;

class Ping final : public RedisCommand {
 public:
  void on_answer(const RedisAnswer&) override {}
};

bool has_unread_bytes(const redisAsyncContext& context) {
  pollfd question{.fd = context.c.fd, .events = POLLIN, .revents = 0};
  return ::poll(&question, 1, 0) == 1;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find_first_of("\r\n"))); }

}  // namespace

struct Redis::Hooks {
  static Redis* owner(const redisAsyncContext* context) { return static_cast<Redis*>(context->data); }

  static void on_connect(const redisAsyncContext* context, int status) noexcept {
    Redis* redis = owner(context);
    if (redis == nullptr) return;
    if (status == REDIS_OK) return redis->greet();
    redis->on_context_gone(context->errstr);  // hiredis frees it after this
  }
  static void on_disconnect(const redisAsyncContext* context, int) noexcept {
    Redis* redis = owner(context);
    if (redis == nullptr) return;
    redis->on_context_gone(context->err == 0 ? "the connection was closed" : context->errstr);
  }
  static void on_greeted(redisAsyncContext* context, void* reply, void*) noexcept {
    Redis* redis = owner(context);
    if (redis != nullptr && reply != nullptr) redis->on_greeted(static_cast<redisReply*>(reply));
  }
  static void on_reply(redisAsyncContext*, void* reply, void* data) noexcept {
    auto& command = *static_cast<RedisCommand*>(data);
    if (command.owner_ == nullptr) {
      delete &command;  // Redis is being destroyed: nobody is told any more
    } else {
      command.owner_->on_reply(command, static_cast<redisReply*>(reply));
    }
  }
};

Redis::Redis(Loop& loop, Timeouts& timeouts, RedisSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      timeouts_(timeouts.add_class()),
      timeouts_connection_(timeouts.add_class()),
      breaker_(kBreakerFirst, kBreakerMax),
      resolver_(loop, addresses_of),
      timeout_(Timeout::calling<&Redis::on_retry_or_timeout>(this)),
      deadline_(Timeout::calling<&Redis::on_deadline>(this)),
      pulse_(Timeout::calling<&Redis::on_pulse>(this)) {}

Redis::~Redis() {
  while (RedisCommand* command = under_way_.front()) {
    command->unlink();
    command->owner_ = nullptr;
  }
  if (context_ != nullptr) {
    context_->data = nullptr;
    redisAsyncFree(std::exchange(context_, nullptr));
  }
}

void Redis::start() {
  timeouts_connection_.arm(pulse_, settings_.pulse);
  on_retry_or_timeout();
}

void Redis::on_retry_or_timeout() {
  if (phase_ != Phase::Waiting) {
    return give_up(phase_ == Phase::Resolving ? "the name was not resolved in time" : "it did not get ready in time");
  }
  if (!breaker_.allows(loop_.now())) return timeouts_connection_.arm(timeout_, kSpared);
  phase_ = Phase::Resolving;
  timeouts_connection_.arm(timeout_, settings_.timeout_connect);
  if (is_resolved(settings_.url.host)) return connect(settings_.url.host);
  resolver_.start(settings_.url.host, [this](const Addresses& found) {
    if (!found) return give_up("cannot resolve " + settings_.url.host + ": " + std::string(found.error().why));
    connect(found->front().host());
  });
}

void Redis::connect(const std::string& host) {
  phase_ = Phase::Connecting;
  context_ = settings_.url.is_unix() ? redisAsyncConnectUnix(host.c_str())
                                     : redisAsyncConnect(host.c_str(), settings_.url.port);
  if (context_ == nullptr) return give_up("out of memory");
  if (context_->err != 0) return give_up(context_->errstr);
  if (!attach_events(loop_, *context_)) return give_up("the loop cannot watch its socket");
  context_->data = this;
  redisAsyncSetDisconnectCallback(context_, &Hooks::on_disconnect);
  redisAsyncSetConnectCallback(context_, &Hooks::on_connect);
}

void Redis::greet() {
  phase_ = Phase::Greeting;
  const RedisUrl& url = settings_.url;
  if (!url.password.empty() && !url.user.empty()) submit(nullptr, {"AUTH", url.user, url.password});
  if (!url.password.empty() && url.user.empty()) submit(nullptr, {"AUTH", url.password});
  if (url.database != 0) submit(nullptr, {"SELECT", std::to_string(url.database)});
  submit(nullptr, {"PING"});
}

void Redis::on_greeted(const redisReply* reply) {
  if (phase_ != Phase::Greeting) return;
  const std::string_view text(reply->str == nullptr ? "" : reply->str, reply->str == nullptr ? 0 : reply->len);
  if (reply->type == REDIS_REPLY_ERROR) return give_up(first_line(text));
  if (text != "PONG") return;  // of AUTH and SELECT
  phase_ = Phase::Ready;
  timeout_.disarm();
  breaker_.on_success();
  dependency_.set(true, {});
  if (user_ != nullptr) user_->on_redis_back();
}

bool Redis::submit(RedisCommand* command, std::initializer_list<std::string_view> words) {
  constexpr std::size_t kWordsMax = 8;
  std::array<const char*, kWordsMax> texts{};
  std::array<std::size_t, kWordsMax> lengths{};
  int count = 0;
  for (const std::string_view word : words) {
    texts[static_cast<std::size_t>(count)] = word.data();
    lengths[static_cast<std::size_t>(count)] = word.size();
    ++count;
  }
  return redisAsyncCommandArgv(context_, command == nullptr ? &Hooks::on_greeted : &Hooks::on_reply, command, count,
                               texts.data(), lengths.data()) == REDIS_OK;
}

bool Redis::send(std::unique_ptr<RedisCommand> command, std::initializer_list<std::string_view> words) {
  if (!is_available() || in_flight_ >= settings_.in_flight_max) return false;
  command->owner_ = this;
  command->deadline_ = loop_.now() + settings_.timeout_command;
  if (!submit(command.get(), words)) return false;
  ++in_flight_;
  under_way_.push_back(*command.release());
  if (!deadline_.is_armed()) timeouts_.arm(deadline_, settings_.timeout_command);
  return true;
}

void Redis::on_reply(RedisCommand& command, const redisReply* reply) {
  const std::unique_ptr<RedisCommand> owned(&command);
  command.unlink();
  --in_flight_;
  if (spared_ == &command) spared_ = nullptr;
  RedisAnswer answer{.status = RedisStatus::Lost, .text = {}, .is_late = is_late_};
  if (reply != nullptr) {
    answer.is_late = false;
    if (reply->str != nullptr) answer.text = {reply->str, reply->len};
    answer.status = reply->type == REDIS_REPLY_NIL     ? RedisStatus::Nil
                    : reply->type == REDIS_REPLY_ERROR ? RedisStatus::Error
                                                       : RedisStatus::Value;
  }
  command.on_answer(answer);
}

/// One timer for all: it is armed for the oldest, and looks again at who is the oldest when it fires.
void Redis::on_deadline() {
  RedisCommand* oldest = under_way_.front();
  if (oldest == nullptr) return;
  const auto left = oldest->deadline_ - loop_.now();
  if (left.count() > 0) return timeouts_.arm(deadline_, left);
  if (spared_ != oldest || has_unread_bytes(*context_)) {
    // After a long turn the loop looks at its clock before it looks at its sockets.
    spared_ = oldest;
    return timeouts_.arm(deadline_, kSpared);
  }
  is_late_ = true;
  give_up("a command was not answered in time");
  is_late_ = false;
}

void Redis::give_up(std::string_view why) {
  const std::string reason(why);
  redisAsyncContext* context = std::exchange(context_, nullptr);
  fail(reason);
  if (context == nullptr) return;
  context->data = nullptr;  // its last callbacks are of no news to us
  redisAsyncFree(context);  // tells all commands under way that they are lost
}

void Redis::on_context_gone(std::string_view why) {
  context_ = nullptr;
  fail(first_line(why));
}

void Redis::fail(std::string_view why) {
  resolver_.cancel();
  phase_ = Phase::Waiting;
  spared_ = nullptr;
  deadline_.disarm();
  breaker_.on_failure(loop_.now(), random_share());
  dependency_.set(false, why.empty() ? "the connection failed" : why);
  const auto pause = breaker_.retry_at() - loop_.now();
  timeouts_connection_.arm(timeout_, pause);
}

/// A Redis that hangs is found out before somebody asks it.
void Redis::on_pulse() {
  timeouts_connection_.arm(pulse_, settings_.pulse);
  if (is_available() && in_flight_ == 0) send(std::make_unique<Ping>(), {"PING"});
}

}  // namespace holdfast::app
