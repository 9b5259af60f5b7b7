#include "app/links/feed.h"

#include "app/store/breaker.h"
#include "app/store/number.h"
#include "common/log.h"

#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kHurry = 20ms;

/// A snapshot is written `xmin:xmax:xip,…`: all transactions below xmin had ended.
std::string_view xmin_of(std::string_view snapshot) { return snapshot.substr(0, snapshot.find(':')); }

/// Snapshots that show everything and nothing.
constexpr std::string_view kAllSeen = "18446744073709551615:18446744073709551615:";
constexpr std::string_view kNothingSeen = "3:3:";  // smaller ones are PostgreSQL's own

}  // namespace

FeedPlace::FeedPlace(From from) : seen_(from == From::Now ? kAllSeen : kNothingSeen) { transaction_ = xmin_of(seen_); }

bool FeedPlace::pass(std::string_view snapshot, std::size_t rows, std::string_view transaction,
                     std::string_view number) {
  if (!is_amid_) seen_next_ = snapshot;
  is_amid_ = rows >= kPage;
  if (is_amid_) {
    transaction_ = transaction;
    number_ = number;
    return true;
  }
  seen_ = std::exchange(seen_next_, {});
  transaction_ = xmin_of(seen_);
  number_ = "0";
  return false;
}

bool FeedHistory::goes_on(std::uint64_t oldest_under_way, std::string_view timeline) {
  const bool is_known = timeline_.empty() || (timeline == timeline_ && oldest_under_way >= oldest_under_way_);
  timeline_ = timeline;
  oldest_under_way_ = oldest_under_way;
  return is_known;
}

class Feed::Read final : public PgQuery {
 public:
  Read(Feed& feed, Reader& reader) : PgQuery(Statement::ReadFeed), feed_(feed), reader_(reader), moves_(reader.moves) {
    add(reader.place.transaction());
    add(reader.place.number());
    add(reader.place.seen());
    add(std::to_string(FeedPlace::kPage));
  }
  void on_answer(const PgAnswer& answer) override { feed_.on_answer(reader_, moves_, answer); }

 private:
  Feed& feed_;
  Reader& reader_;
  std::uint64_t moves_;
};

class Feed::Trim final : public PgQuery {
 public:
  explicit Trim(std::chrono::seconds retention) : PgQuery(Statement::TrimFeed) {
    add(std::to_string(retention.count()));
  }
  void on_answer(const PgAnswer&) override {}
};

Feed::Feed(Loop& loop, Timeouts& timeouts, const FeedSettings& settings, Postgres& primary)
    : loop_(loop),
      settings_(settings),
      primary_(primary),
      timeouts_(timeouts.add_class()),
      timeouts_trim_(timeouts.add_class()),
      timer_(Timeout::calling<&Feed::on_timer>(this)),
      trim_(Timeout::calling<&Feed::on_trim>(this)) {
  primary_.set_on_notify([this] { on_notify(); });
}

void Feed::start() {
  is_replaying_ = true;
  on_timer();
  timeouts_trim_.arm(trim_, settings_.trim);
}

void Feed::hurry() {
  if (news_.is_reading) return;
  if (loop_.now() - sent_at_ >= kHurry) return read(news_);
  timeouts_.arm(timer_, kHurry);
}

void Feed::replay() {
  put(past_, FeedPlace::From::Beginning);
  is_replaying_ = true;
  read(past_);
}

void Feed::put(Reader& reader, FeedPlace::From from) {
  reader.place = FeedPlace(from);
  ++reader.moves;
}

bool Feed::is_live() const { return was_caught_up_ && loop_.now() - mark_.asked_at <= settings_.live; }

void Feed::on_timer() {
  timeouts_.arm(timer_, settings_.interval);
  read(news_);  // and then, where it was lost, the next page of a replay
}

void Feed::on_notify() {
  if (news_.is_reading) reads_news_again_ = true;
  read(news_);
}

void Feed::on_trim() {
  // Every instance does it, one of them mostly finds something; not all at the same time.
  const auto spread = static_cast<double>(settings_.trim.count()) * (0.5 + random_share());
  timeouts_trim_.arm(trim_, std::chrono::milliseconds(static_cast<std::int64_t>(spread)));
  if (primary_.is_available()) primary_.send(std::make_unique<Trim>(settings_.retention), settings_.deadline);
}

void Feed::read(Reader& reader) {
  if (reader.is_reading || !primary_.is_available()) return;  // the next tick, or the connection when it is back
  // What a replay misses, since it commits while it is under way, must be news.
  if (&reader == &past_ && !was_caught_up_) return;
  reader.is_reading = true;
  if (!reader.place.is_amid()) reader.asked_at = loop_.now();
  if (&reader == &news_) {
    reads_news_again_ = false;
    sent_at_ = loop_.now();
  }
  primary_.send(std::make_unique<Read>(*this, reader), settings_.deadline);
}

void Feed::on_answer(Reader& reader, std::uint64_t moves, const PgAnswer& answer) {
  reader.is_reading = false;
  if (!answer.is_ok() || answer.rows() == 0) {
    if (answer.status() == PgStatus::Bug) log::warn_limited("feed refused", "primary", {{"why", answer.why()}});
    return;
  }
  const std::string_view timeline = answer.text(0, 2);
  if (!history_.goes_on(number_of<std::uint64_t>(xmin_of(answer.text(0, 1))), timeline)) {
    log::warn("the primary has another history: all copies are dropped", {{"timeline", timeline}});
    was_caught_up_ = false;
    put(news_, FeedPlace::From::Now);
    for (FeedUser* user : users_) user->on_new_history();
    replay();  // when the news have been read once
    return read(news_);
  }
  if (moves != reader.moves) return read(reader);
  const std::uint64_t lsn = number_of<std::uint64_t>(answer.text(0, 0));
  const int last = answer.rows() - 1;
  const bool has_rows = !answer.is_null(last, 3);
  for (int row = 0; has_rows && row <= last; ++row) tell(answer, row, lsn, &reader == &past_);
  const bool has_more = reader.place.pass(answer.text(0, 1), has_rows ? static_cast<std::size_t>(last) + 1 : 0,
                                          answer.text(last, 3), answer.text(last, 4));
  if (!has_more) on_read_whole(reader, lsn);
  if (has_more || (&reader == &news_ && reads_news_again_)) read(reader);
}

void Feed::tell(const PgAnswer& answer, int row, std::uint64_t lsn, bool is_past) {
  const std::string_view code = answer.text(row, 5);
  for (FeedUser* user : users_) {
    is_past ? user->on_past_change(code, lsn) : user->on_change(code, answer.is_true(row, 6), lsn);
  }
}

/// Whoever is told may ask for a replay.
void Feed::on_read_whole(const Reader& reader, std::uint64_t lsn) {
  const FeedMark mark{.asked_at = reader.asked_at, .lsn = lsn};
  if (&reader == &past_) {
    is_replaying_ = false;
    for (FeedUser* user : users_) user->on_replayed(mark);
    return;
  }
  mark_ = mark;
  was_caught_up_ = true;
  for (FeedUser* user : users_) user->on_caught_up(mark);
  if (is_replaying_) read(past_);
}

}  // namespace holdfast::app
