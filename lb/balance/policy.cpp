#include "lb/balance/policy.h"

namespace holdfast::lb {
namespace {

/// Lower is better; kNever may not get a request.
constexpr int kNever = 4;
int rank(State state, bool is_tried) {
  if (state == State::Healthy) return is_tried ? 2 : 0;
  if (state == State::Unknown) return is_tried ? 3 : 1;
  return kNever;
}

}  // namespace

RoundRobin::RoundRobin(ServerPool& pool, std::size_t worker, std::size_t worker_count)
    : pool_(pool), credit_(pool.servers().size(), 0) {
  if (!credit_.empty()) credit_[worker * credit_.size() / worker_count] = 1;
}

Pick RoundRobin::pick(std::span<const std::uint8_t> tried) {
  int best_rank = kNever;
  long total = 0;
  std::size_t best = 0;
  const auto servers = pool_.servers();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const int its_rank = rank(servers[i]->state(), tried[i] != 0);
    if (its_rank > best_rank || its_rank == kNever) continue;
    if (its_rank < best_rank) {
      best_rank = its_rank;
      best = i;
      total = 0;
    }
    total += servers[i]->weight();
    if (credit_[i] + servers[i]->weight() > credit_[best] + servers[best]->weight()) best = i;
  }
  if (best_rank == kNever) return {};
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (rank(servers[i]->state(), tried[i] != 0) == best_rank) credit_[i] += servers[i]->weight();
  }
  credit_[best] -= total;
  return {.server = servers[best].get(), .is_repeat = best_rank >= 2};
}

bool RoundRobin::has_untried(std::span<const std::uint8_t> tried) const {
  const auto servers = pool_.servers();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (rank(servers[i]->state(), tried[i] != 0) < 2) return true;
  }
  return false;
}

}  // namespace holdfast::lb
