#include "lb/health/monitor.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {
namespace {

/// How often silences are looked at while anybody waits for an answer, and while nobody does.
constexpr std::chrono::milliseconds kLook{25};
constexpr std::chrono::milliseconds kLookIdle{75};
/// A look that comes this late says that the process had no turn: the workers may not have read yet what was sent.
constexpr std::chrono::milliseconds kLate{20};

}  // namespace

HealthMonitor::HealthMonitor(Loop& loop, Timeouts& timeouts, const Snapshot& snapshot, ServerHealth::Changed changed)
    : loop_(loop),
      timeouts_(timeouts.add_class()),
      first_round_timeout_(Timeout::calling<&HealthMonitor::finish_first_round>(this)),
      next_look_(Timeout::calling<&HealthMonitor::look_for_stalls>(this)),
      changed_(std::move(changed)),
      probed_([this] { on_probed(); }),
      may_eject_([this](const ServerHealth& server, bool was_refused) { return may_eject(server, was_refused); }) {
  for (const auto& pool : snapshot.pools) {
    for (const auto& server : pool->servers()) servers_.push_back(make(*pool, *server));
  }
}

std::unique_ptr<ServerHealth> HealthMonitor::make(ServerPool& pool, Server& server) {
  return std::make_unique<ServerHealth>(loop_, timeouts_, scratch_, pool, server, changed_, probed_, may_eject_);
}

void HealthMonitor::take(const Snapshot& snapshot) {
  std::vector<std::unique_ptr<ServerHealth>> before = std::exchange(servers_, {});
  std::vector<ServerHealth*> fresh;
  for (const auto& pool : snapshot.pools) {
    for (const auto& server : pool->servers()) {
      const auto known = std::find_if(before.begin(), before.end(), [&server](const auto& one) {
        return one != nullptr && &one->server() == server.get();
      });
      if (known != before.end()) {
        servers_.push_back(std::move(*known));
        servers_.back()->take(*pool);
      } else {
        servers_.push_back(make(*pool, *server));
        fresh.push_back(servers_.back().get());
      }
    }
  }
  for (ServerHealth* server : fresh) server->start();
  begin_looking();
}

void HealthMonitor::begin_looking() {
  const bool is_any_watched =
      std::any_of(servers_.begin(), servers_.end(), [](const auto& server) { return server->is_watched(); });
  if (is_any_watched && !next_look_.is_armed()) timeouts_.arm(next_look_, kLookIdle);
}

void HealthMonitor::start(std::function<void()> first_round) {
  first_round_ = std::move(first_round);
  std::chrono::milliseconds longest{0};
  for (const auto& server : servers_) server->start();
  for (const auto& server : servers_) {
    if (server->prober() != nullptr) longest = std::max(longest, server->probe_timeout());
  }
  timeouts_.arm(first_round_timeout_, longest);
  begin_looking();
  on_probed();
}

void HealthMonitor::look_for_stalls() {
  const bool is_late = loop_.now() - next_look_.deadline() > kLate;
  if (is_late && !std::exchange(was_late_, true)) return timeouts_.arm(next_look_, kLook);
  was_late_ = is_late;
  bool is_busy = false;
  activities_.clear();
  for (const auto& server : servers_) {
    activities_.push_back(activity_of(server->server()));
    is_busy = is_busy || activities_.back().awaited > 0;
  }
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!servers_[i]->is_watched()) continue;
    const auto silence = servers_[i]->unusual_silence_of(activities_[i]);
    if (silence.count() > 0 && goes_on_beside(i, silence)) servers_[i]->ask_witness(activities_[i], silence);
  }
  timeouts_.arm(next_look_, is_busy ? kLook : kLookIdle);
}

bool HealthMonitor::may_eject(const ServerHealth& server, bool was_refused) const {
  const ServerPool& pool = server.pool();
  PoolStanding standing;
  for (const auto& one : pool.servers()) {
    standing.servers += one->state() != State::Down ? 1 : 0;  // a place without address is none
    if (one.get() == &server.server()) continue;
    standing.usable_others += may_get_requests(one->state()) ? 1 : 0;
    standing.ejected += one->state() == State::Ejected ? 1 : 0;
  }
  return lb::may_eject(standing, pool.settings().passive.max_ejected_percent, was_refused);
}

bool HealthMonitor::goes_on_beside(std::size_t suspect, std::chrono::milliseconds silence) const {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (i == suspect || &servers_[i]->pool() != &servers_[suspect]->pool()) continue;
    const bool gets_requests = servers_[i]->server().state() == State::Healthy;
    if (gets_requests && lb::goes_on_beside(activities_[i], silence, loop_.now())) return true;
  }
  return false;
}

void HealthMonitor::on_probed() {
  if (!first_round_) return;
  const bool all =
      std::all_of(servers_.begin(), servers_.end(), [](const auto& server) { return server->has_verdict(); });
  if (all) finish_first_round();
}

void HealthMonitor::finish_first_round() {
  first_round_timeout_.disarm();
  if (first_round_) std::exchange(first_round_, nullptr)();
}

void HealthMonitor::collect_failures() {
  for (const auto& server : servers_) server->collect_failures();
}

ServerHealth* HealthMonitor::find(std::string_view pool, std::string_view server) const {
  for (const auto& one : servers_) {
    if (one->pool().name() == pool && one->server().name() == server) return one.get();
  }
  return nullptr;
}

const ServerHealth* HealthMonitor::of(const Server& server) const {
  for (const auto& one : servers_) {
    if (&one->server() == &server) return one.get();
  }
  return nullptr;
}

}  // namespace holdfast::lb
