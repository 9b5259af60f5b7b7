#include "app/clicks/shipper.h"

#include "app/store/number.h"
#include "common/log.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kEntryBytes = 32 * 1024;  // frames are packed together up to this
constexpr std::size_t kEntriesAtOnce = 32;      // one round trip
constexpr std::size_t kDirectClicks = 5'000;    // one batch into the primary
constexpr auto kReportEvery = 1s;
constexpr auto kRedisRetry = 500ms;
constexpr auto kFinish = 2s;
constexpr auto kReportTimeout = 2s;
/// Between two batches into the primary, and after one that failed: what comes meanwhile is stored together, so that a
/// code that is followed often has its rows written once.
constexpr auto kDirectEvery = 1s;

constexpr const char* kReport =
    "SELECT instance, epoch, stored, is_paused FROM report_journal_v1($1::uuid, $2, $3::bigint, $4::bigint, "
    "$5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10, $11::uuid[], $12::bigint[])";

std::int64_t time_of_first(const Frame& frame) {
  std::string_view records = frame.records;
  const auto click = take_record(records);
  return click ? click->at_ms : 0;
}

/// So that a catching up takes nothing from the requests on the same processor.
void be_modest() { ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 10); }

}  // namespace

std::string_view name_of(Way way) {
  switch (way) {
    case Way::Stream:
      return "stream";
    case Way::Direct:
      return "direct";
    case Way::Stuck:
      return "stuck";
  }
  return "stuck";
}

Shipper::Shipper(Journal& journal, const ClicksSettings& settings, ShipperPlaces places)
    : journal_(journal),
      settings_(settings),
      places_(std::move(places)),
      reader_(journal),
      ingest_({.primary = places_.primary,
               .program = "shortener clicks",
               .worker = places_.name,
               .timeout = settings.shipper.timeout_batch,
               .cancel = &is_cancelled_}) {}

Shipper::~Shipper() { finish(); }

void Shipper::start() {
  thread_ = std::thread([this] {
    run();
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    ended_.notify_all();
  });
}

void Shipper::finish() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stop_.notify_all();
  std::unique_lock lock(mutex_);
  if (!ended_.wait_for(lock, kFinish, [this] { return has_ended_; })) is_cancelled_ = true;
  lock.unlock();
  thread_.join();
}

void Shipper::run() {
  be_modest();
  const auto is_stopping = [this] {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
  };
  while (!is_stopping()) {
    turn();
    sleep(settings_.shipper.interval);
  }
  const auto until = Clock::now() + kFinish;
  do {
    next_report_ = Clock::now();
    next_direct_ = {};
    turn();
    if (waiting() > 0) std::this_thread::sleep_for(50ms);
  } while (waiting() > 0 && Clock::now() < until && way() != Way::Stuck);
  if (waiting() > 0) return log::info("clicks wait in the journal", {{"clicks", waiting()}});
  const std::string instance = uuid_text(journal_.source().instance);
  ingest_.run("DELETE FROM click_journals WHERE instance = $1::uuid", {instance.c_str()}, kReportTimeout);
}

void Shipper::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  stop_.wait_for(lock, time, [this] { return is_stopping_; });
}

void Shipper::turn() {
  const auto now = Clock::now();
  if (now >= next_sync_ && settings_.journal.fsync == Fsync::Interval) {
    next_sync_ = now + 1s;
    journal_.sync();
  }
  choose_way();
  if (now >= next_report_) {
    next_report_ = now + kReportEvery;
    report();
  }
  const auto rate = static_cast<double>(settings_.shipper.rate_max);
  allowance_ = std::min(rate, allowance_ + rate * std::chrono::duration<double>(now - last_refill_).count());
  last_refill_ = now;
  if (way() == Way::Stream) ship();
  if (way() == Way::Direct && !is_paused_) store_directly();
}

/// Redis while it is there, and for a while after; then the primary.
void Shipper::choose_way() {
  const auto now = Clock::now();
  if (places_.redis && !redis_ && now >= redis_retry_at_) {
    auto opened = RedisSession::open(*places_.redis, settings_.shipper.timeout);
    redis_retry_at_ = Clock::now() + kRedisRetry;
    if (opened) {
      redis_.emplace(std::move(*opened));
    } else {
      log::warn_limited("clicks cannot be sent to Redis", places_.redis->shown, {{"why", opened.error()}});
    }
  }
  if (redis_ && !is_refused_) redis_worked_at_ = now;
  const Way before = way();
  const bool is_long_away = !places_.redis || now - redis_worked_at_ >= settings_.shipper.direct_after;
  const bool may_try = redis_ && (!is_long_away || now >= stream_retry_at_);
  const Way chosen = may_try ? Way::Stream : is_long_away ? Way::Direct : Way::Stuck;
  if (chosen == before) return;
  way_.store(chosen, std::memory_order_relaxed);
  log::info("clicks take another way", {{"from", name_of(before)}, {"to", name_of(chosen)}});
  if (chosen == Way::Direct) send_again();  // what Redis has may never come back
}

// --- The database's word ---------------------------------------------------------------------------------------------

void Shipper::report() {
  // In this order: what has left the stream by then is stored, or lost.
  const std::string gone = entry_that_is_gone();
  count_waiting();
  std::string instances = "{";
  std::string epochs = "{";
  ClickSource last;
  for (const JournalSegment& each : journal_.segments()) {
    if (each.header.source == last) continue;
    last = each.header.source;
    instances += (instances.size() > 1 ? "," : "") + uuid_text(last.instance);
    epochs += (epochs.size() > 1 ? "," : "") + std::to_string(last.epoch);
  }
  instances += '}';
  epochs += '}';
  const ClickSource& own = journal_.source();
  const std::vector<std::string> texts{uuid_text(own.instance),
                                       places_.name,
                                       std::to_string(own.epoch),
                                       std::to_string(journal_.written()),
                                       std::to_string(waiting()),
                                       std::to_string(journal_.bytes()),
                                       std::to_string(journal_.bytes_max()),
                                       std::to_string(journal_.dropped_full() + journal_.dropped_disk()),
                                       std::to_string(oldest_ms()),
                                       std::string(name_of(way())),
                                       instances,
                                       epochs};
  std::vector<const char*> values;
  for (const std::string& each : texts) values.push_back(each.c_str());
  if (oldest_ms() == 0) values[8] = nullptr;
  const auto rows = ingest_.run(kReport, values, kReportTimeout);
  if (!rows) {
    log::warn_limited("how far clicks are stored cannot be asked", places_.primary.shown, {{"why", ingest_.why()}});
    next_report_ = Clock::now() + 2 * kReportEvery;
    return;
  }
  take_word(*rows);
  count_waiting();
  if (gone.empty() || in_stream_.empty() || in_stream_.back().id != gone) return;
  log::warn("Redis has forgotten clicks: they are sent again", {{"clicks", waiting()}});
  resent_.add();
  send_again();
}

/// The last entry that was sent, where it is not in the stream any more.
std::string Shipper::entry_that_is_gone() {
  if (in_stream_.empty() || !redis_) return {};
  const std::string& id = in_stream_.back().id;
  const auto answer = redis_->run({"XRANGE", settings_.stream, id, id});
  if (!answer) redis_.reset();
  const bool is_gone = answer && !answer->value().is_error() && answer->value().size() == 0;
  return is_gone ? id : std::string();
}

void Shipper::take_word(const Rows& rows) {
  stored_.clear();
  for (int row = 0; row < rows.count(); ++row) {
    const auto instance = id_from_text(rows.text(row, 0));
    if (!instance) continue;
    const ClickSource source{.instance = *instance, .epoch = number_of<std::uint64_t>(rows.text(row, 1))};
    stored_[source] = StoredRanges(rows.text(row, 2));
    is_paused_ = rows.is_true(row, 3);
  }
  cut_journal();
  std::erase_if(in_stream_, [&](const InStream& each) {
    const auto known = stored_.find(each.source);
    const bool is_stored = known == stored_.end() || known->second.has(each.first, each.last);
    if (is_stored) in_stream_bytes_ -= each.bytes;
    return is_stored;
  });
}

/// Up to the first click of each start that is not stored.
void Shipper::cut_journal() {
  std::set<ClickSource> blocked;
  for (const JournalSegment& each : journal_.segments()) {
    const ClickSource& source = each.header.source;
    const auto known = stored_.find(source);
    if (known == stored_.end() || each.last < each.header.first || blocked.contains(source)) continue;
    const std::uint64_t upto = std::min(known->second.upto(each.header.first), each.last);
    if (upto >= each.header.first) journal_.mark_stored(source, upto);
    if (upto < each.last) blocked.insert(source);
  }
}

/// From the oldest click on that the database does not have.
void Shipper::send_again() {
  reader_.rewind();
  has_frame_ = false;
  in_redis_.clear();
  in_stream_.clear();
  in_stream_bytes_ = 0;
}

void Shipper::count_waiting() {
  std::uint64_t all = 0;
  for (const JournalSegment& each : journal_.segments()) {
    if (each.last < each.header.first) continue;
    all += each.last - each.header.first + 1;
    const auto known = stored_.find(each.header.source);
    if (known != stored_.end()) all -= known->second.count(each.header.first, each.last);
  }
  waiting_.set(static_cast<std::int64_t>(all));
  std::int64_t oldest = 0;
  if (!in_stream_.empty()) {
    oldest = in_stream_.front().at_ms;
  } else if (all > 0 && next_frame()) {
    oldest = time_of_first(frame_);
  }
  oldest_ms_.set(all == 0 ? 0 : oldest);
}

// --- On the way ------------------------------------------------------------------------------------------------------

bool Shipper::is_done_with(const Frame& frame) const {
  const std::uint64_t last = frame.first + frame.count - 1;
  if (const auto sent = in_redis_.find(source_); sent != in_redis_.end() && last <= sent->second) return true;
  const auto known = stored_.find(source_);
  return known != stored_.end() && known->second.has(frame.first, last);
}

/// The next frame that is not stored and not in Redis is frame_; false where there is none yet.
bool Shipper::next_frame() {
  while (!has_frame_) {
    if (!reader_.next(source_, frame_)) return false;
    has_frame_ = !is_done_with(frame_);
  }
  return true;
}

void Shipper::ship() {
  while (redis_ && allowance_ > 0 && in_stream_bytes_ < settings_.shipper.ahead_bytes && send_entries()) {
  }
}

/// One round trip; false where nothing more is to be sent now.
bool Shipper::send_entries() {
  std::vector<InStream> sent;
  std::vector<std::string> packed;
  while (sent.size() < kEntriesAtOnce && allowance_ > 0 && next_frame()) {
    Entry entry{.source = source_, .first = frame_.first, .count = 0, .records = {}};
    InStream place{
        .source = source_, .first = frame_.first, .last = 0, .bytes = 0, .at_ms = time_of_first(frame_), .id = {}};
    std::string records;
    while (next_frame() && source_ == entry.source && frame_.first == entry.first + entry.count &&
           (records.empty() || records.size() + frame_.records.size() <= kEntryBytes)) {
      records += frame_.records;
      entry.count += frame_.count;
      has_frame_ = false;
    }
    packed.push_back(entry_header(entry) + records);
    place.last = entry.last();
    place.bytes = packed.back().size();
    sent.push_back(std::move(place));
    allowance_ -= entry.count;
  }
  for (const std::string& each : packed) redis_->put({"XADD", settings_.stream, "*", kEntryField, each});
  bool is_refused = false;
  for (InStream& each : sent) {
    const auto answer = redis_->take();
    const bool is_taken = answer && !answer->value().is_error() && !is_refused;
    if (is_taken) {
      is_refused_ = false;
      each.id = answer->value().text();
      in_redis_[each.source] = each.last;
      in_stream_bytes_ += each.bytes;
      shipped_.add(each.last - each.first + 1);
      in_stream_.push_back(std::move(each));
      continue;
    }
    const std::string why = answer ? std::string(answer->value().text()) : answer.error();
    log::warn_limited("clicks cannot be sent to Redis", places_.redis->shown, {{"why", why}});
    is_refused = true;
    is_refused_ = answer.has_value();
    if (!answer) break;
  }
  if (!is_refused) return sent.size() == kEntriesAtOnce;
  // What Redis has taken is skipped on the next way through.
  reader_.rewind();
  has_frame_ = false;
  redis_.reset();
  redis_retry_at_ = Clock::now() + kRedisRetry;
  stream_retry_at_ = Clock::now() + settings_.shipper.direct_after;
  return false;
}

void Shipper::store_directly() {
  if (Clock::now() < next_direct_) return;
  next_direct_ = Clock::now() + kDirectEvery;
  for (bool is_behind = true; is_behind && allowance_ > 0 && next_frame();) {
    Batch batch;
    while (batch.clicks().size() < kDirectClicks && next_frame()) {
      batch.add_records({.source = source_, .first = frame_.first, .count = frame_.count, .records = frame_.records});
      has_frame_ = false;
    }
    is_behind = batch.clicks().size() >= kDirectClicks;  // what comes while this one is stored is for the next second
    IngestCounts counts;
    if (!ingest_.store(batch, counts)) {
      log::warn_limited("clicks cannot be stored", places_.primary.shown, {{"why", ingest_.why()}});
      next_direct_ = Clock::now() + kDirectEvery;
      return send_again();
    }
    direct_.add(counts.stored);
    allowance_ -= static_cast<double>(batch.clicks().size() + batch.dead().size());
  }
  next_report_ = std::min(next_report_, Clock::now() + settings_.shipper.interval);
}

}  // namespace holdfast::app
