// The feed of changes: which links were changed or deleted, told to this loop soon after it happened and none left out.
// A NOTIFY says that there is something; the table says what, from where this loop last was, also after hours without
// a connection. Each reading also says where the primary stands (its LSN), which is what proofs are made of. Who needs
// the past as well, after a start or when Redis is back, has it replayed: by a second reader, so that 26 hours of it
// do not stand before the news. Thread: the loop's.
#pragma once

#include "app/store/postgres.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// Where the primary was. All changes up to there have been told.
struct FeedMark {
  TimePoint asked_at{};   // what was committed before this is covered
  std::uint64_t lsn = 0;  // and whatever was covered lies below this
};

class FeedUser {
 public:
  /// It may be told again. A replica that replayed up to `lsn` has it.
  virtual void on_change(std::string_view code, bool is_deleted, std::uint64_t lsn) = 0;
  virtual void on_caught_up(const FeedMark& mark) = 0;
  /// Of a replay: it happened up to as long ago as the table goes back. Whether the link is there now is not said.
  virtual void on_past_change(std::string_view code, std::uint64_t lsn) = 0;
  /// All changes that were committed before `mark.asked_at` have been replayed.
  virtual void on_replayed(const FeedMark& mark) = 0;
  /// Another history began (a fail-over that lost something): nothing known before can be relied upon. It is replayed.
  virtual void on_new_history() = 0;

 protected:
  ~FeedUser() = default;
};

struct FeedSettings {
  std::chrono::milliseconds interval{250};  // of readings that nobody asked for
  std::chrono::milliseconds deadline{1'000};
  std::chrono::milliseconds live{1'000};   // after a reading this old the feed is no longer live
  std::chrono::hours retention{26};        // longer than anything stays in Redis
  std::chrono::milliseconds trim{60'000};  // between two removals of what is older
};

/// Where a reader is in the table. Numbers of rows and of transactions are given out before commits, so whoever goes by
/// them misses what commits late. The place is a snapshot of PostgreSQL's instead: what a reading could not see yet is
/// new to the next one, however long its transaction took. Pure.
class FeedPlace {
 public:
  static constexpr std::size_t kPage = 500;
  enum class From : std::uint8_t { Now, Beginning };

  explicit FeedPlace(From from);

  /// Rows behind this one (in the order of their transactions) which this snapshot does not show are to be read.
  const std::string& transaction() const { return transaction_; }
  const std::string& number() const { return number_; }
  const std::string& seen() const { return seen_; }
  /// Within several pages, which together are one reading.
  bool is_amid() const { return is_amid_; }

  /// A page was read; `snapshot` is what it could see, and the last of its rows, where it has any, is this one.
  /// True where there may be more.
  bool pass(std::string_view snapshot, std::size_t rows, std::string_view transaction, std::string_view number);

 private:
  std::string transaction_;
  std::string number_ = "0";  // they begin at 1
  std::string seen_;
  std::string seen_next_;  // by the first page of this reading
  bool is_amid_ = false;
};

/// Whether what a server says belongs to the history that is known. Pure.
class FeedHistory {
 public:
  /// False where it does not; then this is the history from now on.
  bool goes_on(std::uint64_t oldest_under_way, std::string_view timeline);

 private:
  std::uint64_t oldest_under_way_ = 0;
  std::string timeline_;
};

class Feed {
 public:
  Feed(Loop& loop, Timeouts& timeouts, const FeedSettings& settings, Postgres& primary);

  void add(FeedUser& user) { users_.push_back(&user); }
  void start();

  /// Reads soon, though the interval is not over; at most every 20 ms.
  void hurry();
  /// Tells everything that the table still has once more, beside the news.
  void replay();

  /// Whether what happened up to a moment ago has been told.
  bool is_live() const;
  /// Whether not all of the past was told yet to those who asked for it.
  bool is_replaying() const { return is_replaying_; }

 private:
  /// One of the two that read the table.
  struct Reader {
    FeedPlace place;
    TimePoint asked_at{};  // the first page of this reading
    bool is_reading = false;
    std::uint64_t moves = 0;  // how often it was put elsewhere: what was asked before is not told
  };
  class Read;
  class Trim;
  void read(Reader& reader);
  void put(Reader& reader, FeedPlace::From from);
  void on_timer();
  void on_trim();
  void on_notify();
  void on_answer(Reader& reader, std::uint64_t moves, const PgAnswer& answer);
  void tell(const PgAnswer& answer, int row, std::uint64_t lsn, bool is_past);
  void on_read_whole(const Reader& reader, std::uint64_t lsn);

  Loop& loop_;
  FeedSettings settings_;
  Postgres& primary_;
  TimeoutClass& timeouts_;
  TimeoutClass& timeouts_trim_;
  Timeout timer_;
  Timeout trim_;
  std::vector<FeedUser*> users_;
  FeedHistory history_;
  Reader news_{.place = FeedPlace(FeedPlace::From::Now)};
  Reader past_{.place = FeedPlace(FeedPlace::From::Beginning)};
  bool reads_news_again_ = false;
  bool is_replaying_ = false;
  FeedMark mark_;
  TimePoint sent_at_{};
  bool was_caught_up_ = false;
};

}  // namespace holdfast::app
