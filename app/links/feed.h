// The feed of changes: which links were changed or deleted, told to this loop soon after it happened and none left out.
// A NOTIFY says that there is something; the table says what, from where this loop last was, also after hours without
// a connection. Each reading also says where the primary stands (its LSN), which is what proofs are made of.
// Thread: the loop's.
#pragma once

#include "app/store/postgres.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast::app {

/// Where the primary was. All changes up to there have been told.
struct FeedMark {
  TimePoint asked_at{};   // what was committed before this is covered
  std::uint64_t lsn = 0;  // and whatever was covered lies below this
};

class FeedUser {
 public:
  /// It may be told again, and it may have happened long ago. A replica that replayed up to `lsn` has it.
  virtual void on_change(std::string_view code, bool is_deleted, std::uint64_t lsn) = 0;
  virtual void on_caught_up(const FeedMark& mark) = 0;
  /// Another history began (a fail-over that lost something): nothing known before can be relied upon.
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

/// Where one loop is in the feed. Pure: what was read goes in, what is to be told comes out.
class FeedPlace {
 public:
  static constexpr std::size_t kPage = 1000;

  const std::string& transaction() const { return at_transaction_; }
  const std::string& number() const { return at_number_; }

  /// One reading begins to be told. False where the server has another history than the one known so far: then
  /// everything is to be read anew.
  bool begin(std::uint64_t oldest_under_way, std::string_view timeline);
  /// Whether this row is news.
  bool is_new(std::uint64_t transaction, std::uint64_t number);
  /// All rows of the reading were told; true where there may be more.
  bool end(std::size_t rows);
  /// Reads everything once more.
  void rewind();

 private:
  std::uint64_t place_ = 0;       // all transactions below have been told
  std::uint64_t first_page_ = 0;  // where place_ goes when this run of pages ends
  bool is_in_run_ = false;
  std::string at_transaction_ = "0";
  std::string at_number_ = "0";
  std::uint64_t last_transaction_ = 0;
  std::uint64_t last_number_ = 0;
  std::string timeline_;
  std::unordered_map<std::uint64_t, std::uint64_t> told_;  // number to transaction, from place_ on
};

class Feed {
 public:
  Feed(Loop& loop, Timeouts& timeouts, const FeedSettings& settings, Postgres& primary);

  void add(FeedUser& user) { users_.push_back(&user); }
  void start();

  /// Reads soon, though the interval is not over; at most every 20 ms.
  void hurry();
  /// Tells everything that the table still has once more, before the next on_caught_up().
  void replay();

  /// Whether what happened up to a moment ago has been told.
  bool is_live() const;
  bool was_caught_up() const { return was_caught_up_; }
  const FeedMark& mark() const { return mark_; }

 private:
  class Read;
  class Trim;
  void read();
  void on_timer();
  void on_trim();
  void on_answer(const PgAnswer& answer);

  Loop& loop_;
  FeedSettings settings_;
  Postgres& primary_;
  TimeoutClass& timeouts_;
  TimeoutClass& timeouts_trim_;
  Timeout timer_;
  Timeout trim_;
  std::vector<FeedUser*> users_;
  FeedPlace place_;
  FeedMark mark_;
  TimePoint asked_at_{};  // of this run of pages
  TimePoint sent_at_{};
  bool was_caught_up_ = false;
  bool is_reading_ = false;
  bool reads_again_ = false;
  bool rewinds_ = false;
};

}  // namespace holdfast::app
