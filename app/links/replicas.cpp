#include "app/links/replicas.h"

#include "app/links/link_database.h"

#include <algorithm>
#include <charconv>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;

/// Of where the primary was so much is remembered; a lag beyond it is told as that long.
constexpr std::size_t kSamplesMax = 4096;

}  // namespace

class Replicas::Status final : public PgQuery {
 public:
  Status(Replicas& replicas, std::size_t at, std::uint64_t losses)
      : PgQuery(Statement::ReplicaStatus), replicas_(replicas), at_(at), losses_(losses) {}
  void on_answer(const PgAnswer& answer) override { replicas_.on_status(at_, losses_, answer); }

 private:
  Replicas& replicas_;
  std::size_t at_;
  std::uint64_t losses_;
};

Replicas::Replicas(Loop& loop, Timeouts& timeouts, const ReplicasSettings& settings,
                   std::vector<std::unique_ptr<Postgres>> servers)
    : loop_(loop),
      settings_(settings),
      timeouts_(timeouts.add_class()),
      timer_(Timeout::calling<&Replicas::on_timer>(this)) {
  for (auto& each : servers) servers_.push_back({.postgres = std::move(each)});
}

Replicas::~Replicas() = default;

/// Short, so that somebody else can be asked; where nobody is there, that is no reason to be told nothing.
std::chrono::milliseconds Replicas::deadline() const {
  return has_primary_ == nullptr || has_primary_() ? settings_.deadline : settings_.deadline_alone;
}

void Replicas::start() {
  for (const Server& server : servers_) server.postgres->start();
  if (!settings_.is_primary) on_timer();
}

void Replicas::on_timer() {
  timeouts_.arm(timer_, settings_.interval);
  hurry();
}

void Replicas::hurry() {
  if (settings_.is_primary) return;
  for (std::size_t i = 0; i < servers_.size(); ++i) ask_status(i);
}

void Replicas::ask_status(std::size_t at) {
  Server& server = servers_[at];
  if (server.is_asked || !server.postgres->is_available()) return;
  server.is_asked = true;
  server.postgres->send(std::make_unique<Status>(*this, at, server.postgres->losses()), deadline());
}

void Replicas::on_status(std::size_t at, std::uint64_t losses, const PgAnswer& answer) {
  Server& server = servers_[at];
  server.is_asked = false;
  if (!answer.is_ok() || answer.rows() != 1) return;
  const std::string_view text = answer.text(0, 0);
  std::from_chars(text.data(), text.data() + text.size(), server.replayed);
  server.losses = losses;
  if (on_progress_) on_progress_();
}

/// A server that comes back may be one that has not got as far as it had.
std::uint64_t Replicas::replayed_by(const Server& server) const {
  if (settings_.is_primary) return UINT64_MAX;
  return server.losses == server.postgres->losses() ? server.replayed : 0;
}

const Replicas::Server* Replicas::furthest() const {
  const Server* best = nullptr;
  for (const Server& server : servers_) {
    if (!server.postgres->is_available()) continue;
    if (best == nullptr || replayed_by(server) > replayed_by(*best)) best = &server;
  }
  return best;
}

bool Replicas::is_available() const { return furthest() != nullptr; }

std::uint64_t Replicas::replayed() const {
  const Server* best = furthest();
  return best == nullptr ? 0 : replayed_by(*best);
}

std::uint64_t Replicas::replayed_by_all() const {
  std::uint64_t least = UINT64_MAX;
  bool has_any = false;
  for (const Server& server : servers_) {
    const std::uint64_t its = replayed_by(server);
    if (!server.postgres->is_available() || its == 0) continue;
    least = std::min(least, its);
    has_any = true;
  }
  return has_any ? least : 0;
}

Postgres& Replicas::server() const {
  const Server* best = furthest();
  return best == nullptr ? *servers_.front().postgres : *best->postgres;
}

void Replicas::ask(const std::vector<std::string_view>& codes, std::uint64_t lsn_min, Receiver& receiver) {
  const Server* best = furthest();
  if (best == nullptr || replayed_by(*best) < lsn_min) return receiver.on_rows(Tier::Replica, Asked::Skipped, {});
  best->postgres->send(make_find_links(codes, Tier::Replica, receiver), deadline());
}

void Replicas::on_caught_up(const FeedMark& mark) {
  if (!primary_was_.empty() && primary_was_.back().second >= mark.lsn) return;
  if (primary_was_.size() >= kSamplesMax) primary_was_.pop_front();
  primary_was_.emplace_back(loop_.now(), mark.lsn);
}

std::vector<const Postgres*> Replicas::servers() const {
  std::vector<const Postgres*> all;
  for (const Server& server : servers_) all.push_back(server.postgres.get());
  return all;
}

/// The time since the primary went beyond what the replica has: on an idle primary a replica does not fall behind.
std::vector<Replicas::Lag> Replicas::lags() const {
  std::vector<Lag> lags;
  if (settings_.is_primary) return lags;
  for (const Server& server : servers_) {
    const auto beyond = std::upper_bound(primary_was_.begin(), primary_was_.end(), server.replayed,
                                         [](std::uint64_t lsn, const auto& sample) { return lsn < sample.second; });
    const bool is_behind = beyond != primary_was_.end();
    lags.push_back({.server = *server.postgres,
                    .bytes = is_behind ? primary_was_.back().second - server.replayed : 0,
                    .time = is_behind ? loop_.now() - beyond->first : 0ms});
  }
  return lags;
}

}  // namespace holdfast::app
