#include "app/links/feed.h"

#include "app/store/breaker.h"
#include "common/log.h"

#include <charconv>
#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kHurry = 20ms;

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

bool FeedPlace::begin(std::uint64_t oldest_under_way, std::string_view timeline) {
  const bool is_same = timeline_.empty() || (timeline == timeline_ && oldest_under_way >= place_);
  timeline_ = timeline;
  if (!is_same) return rewind(), false;
  if (!is_in_run_) first_page_ = oldest_under_way;
  is_in_run_ = true;
  return true;
}

bool FeedPlace::is_new(std::uint64_t transaction, std::uint64_t number) {
  last_transaction_ = transaction;
  last_number_ = number;
  return told_.emplace(number, transaction).second;
}

bool FeedPlace::end(std::size_t rows) {
  if (rows >= kPage) {
    at_transaction_ = std::to_string(last_transaction_);
    at_number_ = std::to_string(last_number_);
    return true;
  }
  is_in_run_ = false;
  place_ = first_page_;
  // The comparison is "greater than (transaction, number)", and numbers begin at 1.
  at_transaction_ = std::to_string(place_);
  at_number_ = "0";
  std::erase_if(told_, [&](const auto& each) { return each.second < place_; });
  return false;
}

void FeedPlace::rewind() {
  place_ = first_page_ = 0;
  is_in_run_ = false;
  at_transaction_ = at_number_ = "0";
  told_.clear();
}

class Feed::Read final : public PgQuery {
 public:
  explicit Read(Feed& feed) : PgQuery(Statement::ReadFeed), feed_(feed) {
    add(feed.place_.transaction());
    add(feed.place_.number());
    add(std::to_string(FeedPlace::kPage));
  }
  void on_answer(const PgAnswer& answer) override { feed_.on_answer(answer); }

 private:
  Feed& feed_;
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
  primary_.set_on_notify([this] { read(); });
}

void Feed::start() {
  on_timer();
  timeouts_trim_.arm(trim_, settings_.trim);
}

void Feed::hurry() {
  if (!is_reading_ && loop_.now() - sent_at_ >= kHurry) return read();
  if (!is_reading_) timeouts_.arm(timer_, kHurry);
}

void Feed::replay() {
  rewinds_ = true;
  read();
}

bool Feed::is_live() const { return was_caught_up_ && loop_.now() - mark_.asked_at <= settings_.live; }

void Feed::on_timer() {
  timeouts_.arm(timer_, settings_.interval);
  if (!is_reading_) read();
}

void Feed::on_trim() {
  // Every instance does it, one of them mostly finds something; not all at the same time.
  const auto spread = static_cast<double>(settings_.trim.count()) * (0.5 + random_share());
  timeouts_trim_.arm(trim_, std::chrono::milliseconds(static_cast<std::int64_t>(spread)));
  if (primary_.is_available()) primary_.send(std::make_unique<Trim>(settings_.retention), settings_.deadline);
}

void Feed::read() {
  if (is_reading_) {
    reads_again_ = true;
    return;
  }
  if (!primary_.is_available()) return;  // the next tick, or the connection when it is back
  if (rewinds_) place_.rewind();
  const bool is_first_page = place_.number() == "0";
  rewinds_ = reads_again_ = false;
  is_reading_ = true;
  sent_at_ = loop_.now();
  if (is_first_page) asked_at_ = sent_at_;
  primary_.send(std::make_unique<Read>(*this), settings_.deadline);
}

void Feed::on_answer(const PgAnswer& answer) {
  is_reading_ = false;
  if (!answer.is_ok() || answer.rows() == 0) {
    if (answer.status() == PgStatus::Bug) log::warn_limited("feed refused", "primary", {{"why", answer.why()}});
    return;
  }
  const std::uint64_t lsn = number_of(answer.text(0, 0));
  if (!place_.begin(number_of(answer.text(0, 1)), answer.text(0, 2))) {
    log::warn("the primary has another history: all copies are dropped", {{"timeline", answer.text(0, 2)}});
    for (FeedUser* user : users_) user->on_new_history();
    return read();
  }
  std::size_t rows = 0;
  for (int row = 0; row < answer.rows(); ++row) {
    if (answer.is_null(row, 3)) continue;
    ++rows;
    if (!place_.is_new(number_of(answer.text(row, 3)), number_of(answer.text(row, 4)))) continue;
    for (FeedUser* user : users_) user->on_change(answer.text(row, 5), answer.is_true(row, 6), lsn);
  }
  const bool has_more = place_.end(rows);
  if (!has_more && !rewinds_) {
    mark_ = {.asked_at = asked_at_, .lsn = lsn};
    was_caught_up_ = true;
    for (FeedUser* user : users_) user->on_caught_up(mark_);
  }
  if (has_more || reads_again_ || rewinds_) read();
}

}  // namespace holdfast::app
