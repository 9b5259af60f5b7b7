// All replicas as one place to look links up: the one that has got furthest answers, and only where that is far enough.
// Thread: the loop's.
#pragma once

#include "app/links/feed.h"
#include "app/links/stores.h"
#include "app/store/postgres.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace holdfast::app {

struct ReplicasSettings {
  std::chrono::milliseconds deadline{50};
  std::chrono::milliseconds deadline_alone{250};  // while there is no primary to ask next
  std::chrono::milliseconds interval{250};        // how often each is asked how far it has got
  bool is_primary = false;                        // there is none: the primary, by connections of its own
};

class Replicas final : public ReplicaDatabase, private FeedUser {
 public:
  Replicas(Loop& loop, Timeouts& timeouts, const ReplicasSettings& settings,
           std::vector<std::unique_ptr<Postgres>> servers);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  void start();
  /// Called when one of them has got further.
  void set_on_progress(std::function<void()> on_progress) { on_progress_ = std::move(on_progress); }
  /// Whether there is a primary to ask next.
  void set_has_primary(std::function<bool()> has_primary) { has_primary_ = std::move(has_primary); }
  /// Lag is measured against where the feed says that the primary is.
  void follow(Feed& feed) { feed.add(*this); }

  bool is_available() const override;
  std::uint64_t replayed() const override;
  std::uint64_t replayed_by_all() const override;
  void hurry() override;
  void ask(const std::vector<std::string_view>& codes, std::uint64_t lsn_min, Receiver& receiver) override;

  struct Lag {
    const Postgres& server;
    std::uint64_t bytes;
    std::chrono::milliseconds time;
  };
  std::vector<Lag> lags() const;
  /// The one to ask for something else; where none is there, one that will say so.
  Postgres& server() const;
  std::vector<const Postgres*> servers() const;

 private:
  class Status;
  struct Server {
    std::unique_ptr<Postgres> postgres;
    std::uint64_t replayed = 0;  // 0: not known of the connections that there are now
    std::uint64_t losses = 0;    // when that was asked
    bool is_asked = false;
  };
  std::chrono::milliseconds deadline() const;
  std::uint64_t replayed_by(const Server& server) const;
  const Server* furthest() const;
  void ask_status(std::size_t at);
  void on_status(std::size_t at, std::uint64_t losses, const PgAnswer& answer);
  void on_timer();
  void on_change(std::string_view, bool, std::uint64_t) override {}
  void on_caught_up(const FeedMark& mark) override;
  void on_past_change(std::string_view, std::uint64_t) override {}
  void on_replayed(const FeedMark&) override {}
  void on_new_history() override { primary_was_.clear(); }

  Loop& loop_;
  ReplicasSettings settings_;
  TimeoutClass& timeouts_;
  Timeout timer_;
  std::vector<Server> servers_;
  std::deque<std::pair<TimePoint, std::uint64_t>> primary_was_;  // oldest first, bounded
  std::function<void()> on_progress_;
  std::function<bool()> has_primary_;
};

}  // namespace holdfast::app
