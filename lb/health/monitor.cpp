#include "lb/health/monitor.h"

#include "common/log.h"

#include <algorithm>
#include <utility>

namespace holdfast::lb {

ServerHealth::ServerHealth(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, ServerPool& pool, Server& server,
                           const Changed& changed, const std::function<void()>& probed)
    : loop_(loop),
      timeouts_(timeouts),
      pool_(pool),
      server_(server),
      changed_(changed),
      probed_(probed),
      passive_(pool.settings().passive),
      ejection_over_(Timeout::calling<&ServerHealth::on_ejection_over>(this)),
      since_(std::chrono::system_clock::now()),
      reason_("not probed yet") {
  facts_.is_probed = !pool.settings().health.uri.empty();
  if (facts_.is_probed) {
    prober_ = std::make_unique<Prober>(loop, timeouts, scratch, pool.settings().health, server,
                                       static_cast<Prober::User&>(*this));
  }
}

void ServerHealth::start() {
  if (prober_ != nullptr) {
    prober_->probe_now();
  } else {
    update("no active checks are configured");
  }
}

void ServerHealth::on_probe(Prober& prober, const ProbeReport& report) {
  has_answer_ = true;
  last_probe_ = report.text;
  facts_.probe = prober.verdict().verdict();
  if (report.result == ProbeResult::Pass) {
    // A pass ends an ejection early: the server is back, and no client has to be the one who finds out.
    facts_.ejected_until = {};
    facts_.says_draining = false;
    ejection_over_.disarm();
    passive_.on_pass(loop_.now());
  }
  update(report.text + (prober.verdict().in_a_row() > 1
                            ? ", " + std::to_string(prober.verdict().in_a_row()) + " in a row"
                            : std::string()));
  probed_();
}

void ServerHealth::collect_failures() {
  const TimePoint now = loop_.now();
  std::uint64_t draining = 0;
  std::array<std::uint64_t, kAttemptResults.size()> sums{};
  for (const auto& counters : server_.counters()) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counters->attempts[i].value();
    draining += counters->said_draining.value();
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::uint64_t fresh = sums[i] - std::exchange(seen_[i], sums[i]);
    const auto result = static_cast<AttemptResult>(i);
    if (fresh == 0 || !is_failure(result)) continue;
    if (prober_ != nullptr) prober_->probe_now();  // a witness at once, whatever this leads to
    const auto ejection = passive_.on_failures(result, fresh, now);
    if (!ejection) continue;
    facts_.ejected_until = ejection->until;
    timeouts_.arm(ejection_over_, std::chrono::milliseconds(ejection->until - now));
    if (prober_ != nullptr) prober_->hurry();
    update(ejection->reason);
  }
  if (draining > seen_draining_) {
    seen_draining_ = draining;
    facts_.says_draining = true;
    if (prober_ != nullptr) {
      prober_->hurry();
      update("it says that it drains (Lb-Drain)");
    } else {
      facts_.says_draining = false;  // nobody would take the word back
    }
  }
}

void ServerHealth::set_admin(Admin admin) {
  facts_.admin = admin;
  switch (admin) {
    case Admin::Enabled:
      if (prober_ != nullptr) prober_->probe_now();  // what was known of it may be old
      return update("the operator enabled it");
    case Admin::Draining:
      return update("the operator drains it");
    case Admin::Down:
      return update("the operator disabled it");
  }
}

void ServerHealth::set_weight(unsigned weight) {
  log::info("upstream weight", {{"pool", pool_.name()},
                                {"server", server_.name()},
                                {"from", server_.weight()},
                                {"to", weight},
                                {"why", "the operator set it"}});
  server_.publish_weight(weight, 100);
  changed_();
}

void ServerHealth::on_ejection_over() { update("the ejection is over"); }

void ServerHealth::update(std::string reason) {
  const State before = server_.state();
  const State now = state_of(facts_, loop_.now());
  if (before == now) {
    if (history_.count() == 0) reason_ = std::move(reason);
    return;
  }
  since_ = std::chrono::system_clock::now();
  reason_ = reason;
  history_.add({.at = since_, .from = before, .to = now, .reason = std::move(reason)});
  server_.publish(now);
  const bool is_bad = now == State::Unhealthy || now == State::Ejected;
  (is_bad ? log::warn : log::info)("upstream state", {{"pool", pool_.name()},
                                                      {"server", server_.name()},
                                                      {"from", state_name(before)},
                                                      {"to", state_name(now)},
                                                      {"why", reason_}});
  changed_();
}

HealthMonitor::HealthMonitor(Loop& loop, Timeouts& timeouts, const Snapshot& snapshot, ServerHealth::Changed changed)
    : timeouts_(timeouts.add_class()),
      first_round_timeout_(Timeout::calling<&HealthMonitor::finish_first_round>(this)),
      changed_(std::move(changed)),
      probed_([this] { on_probed(); }) {
  for (const auto& pool : snapshot.pools) {
    for (const auto& server : pool->servers()) {
      servers_.push_back(std::make_unique<ServerHealth>(loop, timeouts_, scratch_, *pool, *server, changed_, probed_));
    }
  }
}

void HealthMonitor::start(std::function<void()> first_round) {
  first_round_ = std::move(first_round);
  std::chrono::milliseconds longest{0};
  for (const auto& server : servers_) server->start();
  for (const auto& server : servers_) {
    if (server->prober() != nullptr) longest = std::max(longest, server->probe_timeout());
  }
  timeouts_.arm(first_round_timeout_, longest);
  on_probed();
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
