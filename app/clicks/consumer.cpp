#include "app/clicks/consumer.h"

#include "app/clicks/now.h"
#include "app/store/breaker.h"
#include "app/store/number.h"
#include "common/log.h"

#include <algorithm>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr double kEntriesAtOnce = 200;
constexpr auto kIdleWait = 500ms;  // for new entries
constexpr auto kRedisRetry = 500ms;
constexpr auto kRedisTimeout = 3s;  // above kIdleWait
constexpr auto kLookEvery = 2s;
constexpr auto kPartitionsEvery = 1h;
constexpr auto kPauseTick = 500ms;
constexpr auto kStatementTimeout = 5s;
constexpr int kMonthsAhead = 2;
constexpr std::int64_t kDeliveriesMax = 5;  // who took it so often has died of it

constexpr const char* kLook =
    "SELECT (SELECT count(*) FROM (SELECT FROM dead_clicks LIMIT 100000) AS d), coalesce(sum(waiting), 0)::bigint, "
    "coalesce((extract(epoch FROM min(oldest_at)) * 1000)::bigint, 0), (SELECT is_paused FROM click_control), "
    "EXISTS (SELECT FROM clicks_other) FROM click_journals WHERE reported_at > now() - interval '10 minutes'";

/// Words for Redis, with all of `ids` behind them.
RedisSession::Words with_ids(RedisSession::Words words, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) words.push_back(id);
  return words;
}

}  // namespace

Consumer::Consumer(const ClicksSettings& clicks, const WorkerSettings& settings, ConsumerPlaces places, Tell tell)
    : clicks_(clicks),
      settings_(settings),
      places_(std::move(places)),
      tell_(std::move(tell)),
      ingest_({.primary = places_.primary,
               .program = "shortener worker",
               .worker = places_.name,
               .timeout = settings.timeout_batch,
               .cancel = &is_cancelled_}) {}

Consumer::~Consumer() {
  cancel();
  stop(nullptr);
  if (thread_.joinable()) thread_.join();
}

void Consumer::start() {
  thread_ = std::thread([this] {
    run();
    std::function<void()> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = ended_;
    }
    if (ended) ended();
  });
}

void Consumer::stop(std::function<void()> ended) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) return;
  is_stopping_ = true;
  ended_ = std::move(ended);
  wake_.notify_all();
}

bool Consumer::is_stopping() {
  const std::lock_guard lock(mutex_);
  return is_stopping_;
}

void Consumer::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [this] { return is_stopping_; });
}

void Consumer::run() {
  while (!is_stopping()) {
    look();
    make_partitions();
    if (!has_redis()) {
      sleep(100ms);
      continue;
    }
    acknowledge();
    if (redis_) gather();
    if (!batch_.is_empty() && store()) acknowledge();
  }
  if (!batch_.is_empty()) log::warn("a batch was not stored: another worker takes it over", {{"entries", ids_.size()}});
  leave();
}

// --- Redis -----------------------------------------------------------------------------------------------------------

bool Consumer::has_redis() {
  if (redis_) return true;
  if (Clock::now() < redis_retry_at_) return false;
  auto opened = RedisSession::open(places_.redis, kRedisTimeout);
  redis_retry_at_ = Clock::now() + kRedisRetry;
  if (!opened) {
    tell_("redis", false, opened.error());
    return false;
  }
  redis_.emplace(std::move(*opened));
  if (!make_group()) return false;
  tell_("redis", true, {});
  return true;
}

void Consumer::lose_redis(std::string_view why) {
  redis_.reset();
  redis_retry_at_ = Clock::now() + kRedisRetry;
  tell_("redis", false, std::string(why));
}

/// The group reads from the beginning: what is there was stored by nobody, for it would not be there.
bool Consumer::make_group() {
  const auto made = redis_->run({"XGROUP", "CREATE", clicks_.stream, kGroup, "0", "MKSTREAM"});
  if (!made) return lose_redis(made.error()), false;
  if (!made->value().is_error() || made->value().text().starts_with("BUSYGROUP")) return true;
  return lose_redis(made->value().text()), false;
}

std::vector<Consumer::Taken> Consumer::entries_of(const RedisValue& list) {
  std::vector<Taken> entries;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list.at(i).size() != 2) continue;  // deleted meanwhile
    const RedisValue fields = list.at(i).at(1);
    const bool is_ours = fields.size() == 2 && fields.at(0).text() == kEntryField;
    entries.push_back({.id = std::string(list.at(i).at(0).text()),
                       .bytes = std::string(fields.at(is_ours ? 1 : 0).text()),
                       .is_readable = is_ours});
  }
  return entries;
}

/// So many entries as may be what the batch has room for: they are of all sizes, so the last ones tell.
std::string Consumer::entries_wanted() const {
  const auto room = static_cast<double>(settings_.batch_clicks) - static_cast<double>(batch_.clicks().size());
  return std::to_string(static_cast<int>(std::clamp(room / clicks_an_entry_, 1.0, kEntriesAtOnce)));
}

/// Fills the batch: until it is large, or its first clicks have waited long enough.
void Consumer::gather() {
  batch_.clear();
  ids_.clear();
  counts_.held.set(0);
  if (Clock::now() >= next_take_over_) {
    next_take_over_ = Clock::now() + std::clamp<std::chrono::milliseconds>(settings_.takeover_after / 6, 50ms, 5s);
    if (!take_over()) return;
  }
  auto until = Clock::now() + kIdleWait;
  bool has_begun = false;
  while (redis_ && batch_.clicks().size() < settings_.batch_clicks && !is_stopping()) {
    if (!has_begun && !ids_.empty()) {
      has_begun = true;
      until = Clock::now() + settings_.batch_age;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0 || !read_new(left)) return;
  }
}

bool Consumer::read_new(std::chrono::milliseconds wait) {
  const std::string limit = std::to_string(std::max<std::int64_t>(1, wait.count()));
  const std::string count = entries_wanted();
  const auto answer = redis_->run(
      {"XREADGROUP", "GROUP", kGroup, places_.name, "COUNT", count, "BLOCK", limit, "STREAMS", clicks_.stream, ">"});
  if (!answer) return lose_redis(answer.error()), false;
  const RedisValue value = answer->value();
  if (value.is_error()) {  // it was emptied: the group is gone
    if (!value.text().starts_with("NOGROUP")) return lose_redis(value.text()), false;
    return make_group();
  }
  add(entries_of(value.at(0).at(1)));
  return true;
}

/// What a worker has taken long ago it does not work at any more.
bool Consumer::take_over() {
  const std::string idle = std::to_string(settings_.takeover_after.count());
  const std::string count = entries_wanted();
  const auto answer = redis_->run({"XAUTOCLAIM", clicks_.stream, kGroup, places_.name, idle, "0", "COUNT", count});
  if (!answer) return lose_redis(answer.error()), false;
  if (answer->value().is_error()) return true;  // no group yet: reading makes it
  std::vector<Taken> entries = entries_of(answer->value().at(1));
  if (entries.empty()) return true;
  log::info("took over what another worker had left", {{"entries", entries.size()}});
  counts_.taken_over.add(entries.size());
  count_deliveries(entries);
  if (!redis_) return false;
  add(std::move(entries));
  return true;
}

void Consumer::count_deliveries(std::vector<Taken>& entries) {
  for (const Taken& each : entries) redis_->put({"XPENDING", clicks_.stream, kGroup, each.id, each.id, "1"});
  for (Taken& each : entries) {
    const auto answer = redis_->take();
    if (!answer) return lose_redis(answer.error());
    each.deliveries = answer->value().at(0).at(3).number();
  }
}

void Consumer::add(std::vector<Taken> entries) {
  const std::size_t before = batch_.clicks().size();
  const std::size_t count = entries.size();
  for (Taken& each : entries) {
    ids_.push_back(std::move(each.id));
    if (each.deliveries > kDeliveriesMax) {
      batch_.add_dead_entry(std::move(each.bytes),
                            "workers that took it died, " + std::to_string(each.deliveries - 1) + " times");
    } else if (!each.is_readable) {
      batch_.add_dead_entry(std::move(each.bytes), "the entry of the stream has other fields than ours");
    } else {
      batch_.add_entry(std::move(each.bytes));
    }
  }
  counts_.held.set(static_cast<std::int64_t>(batch_.clicks().size()));
  if (count == 0) return;
  clicks_an_entry_ = std::max(1.0, static_cast<double>(batch_.clicks().size() - before) / static_cast<double>(count));
}

/// Off the stream, now that it is stored. What cannot be done now is done when Redis is there again; what is delivered
/// once more meanwhile is known by its ids.
void Consumer::acknowledge() {
  if (done_.empty() || !has_redis()) return;
  redis_->put(with_ids({"XACK", clicks_.stream, kGroup}, done_));
  redis_->put(with_ids({"XDEL", clicks_.stream}, done_));
  for (int i = 0; i < 2; ++i) {
    const auto answer = redis_->take();
    if (!answer) return lose_redis(answer.error());
  }
  done_.clear();
}

/// Its name goes with it, where it holds nothing: whoever reads the list of workers sees those that there are.
void Consumer::leave() {
  if (!batch_.is_empty()) return keep_hold();
  if (!redis_ || !done_.empty()) return;
  redis_->run({"XGROUP", "DELCONSUMER", clicks_.stream, kGroup, places_.name});
}

// --- The primary -----------------------------------------------------------------------------------------------------

/// Until the batch is stored; false where it was not, because this worker ends.
bool Consumer::store() {
  Backoff backoff(100ms, 5s);
  for (;;) {
    while (counts_.is_paused.value() != 0) {
      if (is_stopping()) return false;
      sleep(kPauseTick);
      keep_hold();
      look();
    }
    const auto began = Clock::now();
    IngestCounts counts;
    const bool is_stored = ingest_.store(batch_, counts);
    counts_.stored.add(counts.stored);
    counts_.duplicates.add(counts.duplicates);
    counts_.dead.add(counts.dead);
    if (is_stored) {
      tell_("primary", true, {});
      counts_.batches.add();
      counts_.batch_clicks.set(static_cast<std::int64_t>(batch_.clicks().size()));
      counts_.batch_time.add(Clock::now() - began);
      counts_.last_commit_ms.set(now_ms());
      done_.insert(done_.end(), ids_.begin(), ids_.end());
      batch_.clear();
      ids_.clear();
      counts_.held.set(0);
      return true;
    }
    counts_.retries.add();
    tell_("primary", false, ingest_.why());
    log::warn_limited("a batch cannot be stored; it is tried again", places_.primary.shown, {{"why", ingest_.why()}});
    if (is_stopping()) return false;
    sleep(backoff.next(random_share()));
    keep_hold();
    look();
  }
}

/// Tells the others that these entries are in good hands, and that it is not their fault that they are not stored yet.
void Consumer::keep_hold() {
  if (ids_.empty() || !has_redis()) return;
  RedisSession::Words words = with_ids({"XCLAIM", clicks_.stream, kGroup, places_.name, "0"}, ids_);
  words.insert(words.end(), {"RETRYCOUNT", "0", "JUSTID"});
  const auto answer = redis_->run(words);
  if (!answer) lose_redis(answer.error());
}

/// What the metrics show, and whether storing is paused.
void Consumer::look() {
  if (Clock::now() < next_look_) return;
  next_look_ = Clock::now() + kLookEvery;
  if (has_redis()) {
    redis_->put({"XLEN", clicks_.stream});
    redis_->put({"XPENDING", clicks_.stream, kGroup});
    redis_->put({"XRANGE", clicks_.stream, "-", "+", "COUNT", "1"});
    const auto length = redis_->take();
    const auto pending = length ? redis_->take() : tl::unexpected(std::string());
    const auto oldest = pending ? redis_->take() : tl::unexpected(std::string());
    if (!oldest) {
      lose_redis("it did not answer");
    } else {
      counts_.queue_entries.set(length->value().number());
      counts_.queue_pending.set(pending->value().at(0).number());
      counts_.queue_oldest_ms.set(number_of(oldest->value().at(0).at(0).text()));  // up to the hyphen
    }
  }
  const auto rows = ingest_.run(kLook, {}, kStatementTimeout);
  tell_("primary", rows.has_value(), rows ? std::string() : ingest_.why());
  if (!rows) return;
  counts_.dead_letters.set(number_of(rows->text(0, 0)));
  counts_.waiting.set(number_of(rows->text(0, 1)));
  counts_.waiting_oldest_ms.set(number_of(rows->text(0, 2)));
  counts_.is_paused.set(rows->is_true(0, 3) ? 1 : 0);
  counts_.unplaced.set(rows->is_true(0, 4) ? 1 : 0);
}

void Consumer::make_partitions() {
  if (Clock::now() < next_partitions_) return;
  const std::string ahead = std::to_string(kMonthsAhead);
  const auto made = ingest_.run("SELECT make_click_partitions_v1($1::integer)", {ahead.c_str()}, kStatementTimeout);
  next_partitions_ = Clock::now() + (made ? std::chrono::milliseconds(kPartitionsEvery) : 10s);
  if (!made) {
    log::warn_limited("tables for months to come cannot be made", places_.primary.shown, {{"why", ingest_.why()}});
  } else if (made->text(0, 0) != "0") {
    log::info("made tables for months to come", {{"tables", made->text(0, 0)}});
  }
}

}  // namespace holdfast::app
