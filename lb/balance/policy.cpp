#include "lb/balance/policy.h"

#include <algorithm>
#include <cmath>

namespace holdfast::lb {
namespace {

/// Lower is better; kNever may not get a request.
constexpr int kNever = 4;
int rank(const Server& server, bool is_tried) {
  const State state = server.state();
  if (!may_get_requests(state) || !server.has_room()) return kNever;
  if (state == State::Healthy) return is_tried ? 2 : 0;
  return is_tried ? 3 : 1;
}

/// Backup servers stand by while another is healthy, busy or tried as it may be.
bool stands_by(const ServerPool& pool) {
  return std::any_of(pool.servers().begin(), pool.servers().end(),
                     [](const auto& server) { return !server->is_backup() && server->state() == State::Healthy; });
}

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

}  // namespace

Balancer::Balancer(ServerPool& pool, std::size_t worker, std::size_t worker_count)
    : pool_(pool),
      settings_(pool.settings().policy),
      credit_(pool.servers().size(), 0),
      ranks_(pool.servers().size(), kNever),
      dice_(std::random_device{}()) {
  start_ = worker * credit_.size() / worker_count;
  for (const auto& server : pool.servers()) seeds_.push_back(hash_of(server->name()));
}

std::uint64_t Balancer::key(const RequestHead& head, std::string_view client) {
  if (settings_.policy != Policy::Hash) return 0;
  const auto key = hash_key(settings_, head, client);
  return key ? *key : dice_();
}

Balancer::Candidates Balancer::rank_all(std::span<const std::uint8_t> tried) {
  Candidates among{.rank = kNever};
  const bool skips_backups = stands_by(pool_);
  unsigned share = 0;
  const auto servers = pool_.servers();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const Server& server = *servers[i];
    const int its_rank = skips_backups && server.is_backup() ? kNever : rank(server, tried[i] != 0);
    ranks_[i] = static_cast<std::uint8_t>(its_rank);
    if (its_rank > among.rank || its_rank == kNever) continue;
    if (its_rank < among.rank) {
      among = {.rank = its_rank};
      share = server.share();
    }
    among.total += server.share();
    among.are_even = among.are_even && server.share() == share;
    ++among.count;
  }
  return among;
}

Pick Balancer::pick(const PickFacts& facts) {
  const Candidates among = rank_all(facts.tried);
  if (among.rank == kNever) return {};
  std::size_t best = kNone;
  switch (settings_.policy) {
    case Policy::RoundRobin:
      best = round_robin(among);
      break;
    case Policy::LeastRequests:
      best = least_requests(among);
      break;
    case Policy::Random:
      best = at_random(among);
      break;
    case Policy::First:
      for (best = 0; !is_candidate(best, among); ++best) {
      }
      break;
    case Policy::Hash:
      best = by_hash(among, facts.key);
      break;
  }
  return {.server = pool_.servers()[best].get(), .index = best, .is_repeat = among.rank >= 2};
}

std::size_t Balancer::round_robin(const Candidates& among) {
  const auto servers = pool_.servers();
  std::size_t best = kNone;
  for (std::size_t turn = 0; turn < servers.size(); ++turn) {
    // Among equals the first from this worker's start: so the whole round is shifted, not its first pick alone.
    std::size_t i = start_ + turn;
    if (i >= servers.size()) i -= servers.size();
    if (!is_candidate(i, among)) continue;
    credit_[i] += servers[i]->share();
    if (best == kNone || credit_[i] > credit_[best]) best = i;
  }
  credit_[best] -= static_cast<std::int64_t>(among.total);
  return best;
}

std::size_t Balancer::at_share(const Candidates& among, std::uint64_t at, std::size_t but) const {
  const auto servers = pool_.servers();
  std::size_t last = kNone;  // where a share shrank since it was summed
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (i == but || !is_candidate(i, among)) continue;
    if (at < servers[i]->share()) return i;
    at -= servers[i]->share();
    last = i;
  }
  return last;
}

std::size_t Balancer::at_random(const Candidates& among) {
  return at_share(among, dice_() % std::max<std::uint64_t>(among.total, 1), kNone);
}

/// Two at random, each as likely as its share is large; of these the one with fewer requests for its share.
std::size_t Balancer::least_requests(const Candidates& among) {
  const std::size_t one = at_random(among);
  if (among.count == 1) return one;
  const auto servers = pool_.servers();
  const std::uint64_t rest = among.total - std::min<std::uint64_t>(servers[one]->share(), among.total);
  const std::size_t other = at_share(among, dice_() % std::max<std::uint64_t>(rest, 1), one);
  if (other == kNone) return one;
  const auto load_one = static_cast<std::uint64_t>(std::max<std::int64_t>(servers[one]->in_flight(), 0));
  const auto load_other = static_cast<std::uint64_t>(std::max<std::int64_t>(servers[other]->in_flight(), 0));
  return load_other * servers[one]->share() < load_one * servers[other]->share() ? other : one;
}

/// Rendezvous: each server draws a number from the key, the highest wins; so a server that leaves moves its own keys
/// and no others. Where shares differ the draw is weighted: -share / ln(u) (Schindelhauer and Schomaker 2005).
std::size_t Balancer::by_hash(const Candidates& among, std::uint64_t key) const {
  const auto servers = pool_.servers();
  std::size_t best = kNone;
  std::uint64_t highest = 0;
  double highest_weighted = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (!is_candidate(i, among)) continue;
    const std::uint64_t drawn = mixed(key ^ seeds_[i]);
    if (among.are_even) {
      if (best != kNone && drawn <= highest) continue;
      highest = drawn;
    } else {
      const double u = (static_cast<double>(drawn >> 11) + 0.5) * 0x1p-53;
      const double weighted = static_cast<double>(servers[i]->share()) / -std::log(u);
      if (best != kNone && weighted <= highest_weighted) continue;
      highest_weighted = weighted;
    }
    best = i;
  }
  return best;
}

std::size_t Balancer::untried_count(std::span<const std::uint8_t> tried) const {
  std::size_t count = 0;
  const bool skips_backups = stands_by(pool_);
  const auto servers = pool_.servers();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (skips_backups && servers[i]->is_backup()) continue;
    if (rank(*servers[i], tried[i] != 0) < 2) ++count;
  }
  return count;
}

bool Balancer::has_available() const {
  const auto servers = pool_.servers();
  return std::any_of(servers.begin(), servers.end(), [](const auto& server) { return rank(*server, false) != kNever; });
}

}  // namespace holdfast::lb
