#include "lb/health/server_health.h"

#include "common/log.h"
#include "common/units.h"
#include "lb/health/slow_start.h"

#include <utility>

namespace holdfast::lb {
namespace {

HistogramSnapshot first_byte_of(const Server& server) {
  HistogramSnapshot all;
  for (const auto& counters : server.counters()) all += counters->first_byte.snapshot();
  return all;
}

std::uint64_t answers_of(const Server& server) {
  std::uint64_t all = 0;
  for (const auto& counters : server.counters()) {
    for (const Counter& hundred : counters->responses) all += hundred.value();
  }
  return all;
}

/// How often a trial is looked at.
constexpr std::chrono::milliseconds kTrialLook{25};

}  // namespace

ServerHealth::ServerHealth(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, ServerPool& pool, Server& server,
                           const Changed& changed, const std::function<void()>& probed, const MayEject& may_eject)
    : loop_(loop),
      timeouts_(timeouts),
      scratch_(scratch),
      pool_(&pool),
      server_(server),
      changed_(changed),
      probed_(probed),
      may_eject_(may_eject),
      passive_(pool.settings().passive),
      ejection_over_(Timeout::calling<&ServerHealth::on_ejection_over>(this)),
      trial_look_(Timeout::calling<&ServerHealth::look_at_trial>(this)),
      next_step_(Timeout::calling<&ServerHealth::on_slow_start>(this)),
      since_(std::chrono::system_clock::now()),
      reason_("not probed yet") {
  facts_.is_probed = !pool.settings().health.uri.empty();
  if (server.address().is_set()) {
    make_prober();
    return;
  }
  facts_.resolution = Resolution::None;
  reason_ = "its name has no such address yet";
}

void ServerHealth::make_prober() {
  if (!facts_.is_probed) return;
  prober_ = std::make_unique<Prober>(loop_, timeouts_, scratch_, pool_->settings().health, server_,
                                     static_cast<Prober::User&>(*this));
}

void ServerHealth::start() {
  if (facts_.resolution == Resolution::None) return;
  if (prober_ != nullptr) {
    prober_->probe_now();
  } else {
    update("no active checks are configured");
  }
}

void ServerHealth::take(ServerPool& pool) {
  pool_ = &pool;
  passive_.take(pool.settings().passive);
  facts_.is_probed = !pool.settings().health.uri.empty();
  if (facts_.resolution == Resolution::None) return;
  const std::unique_ptr<Prober> before = std::move(prober_);
  make_prober();
  if (prober_ != nullptr && before != nullptr) prober_->go_on_from(*before);
  if (prober_ != nullptr) return prober_->probe_now();
  facts_.probe = Probe::Unknown;
  update("no active checks are configured");
}

void ServerHealth::on_probe(Prober& prober, const ProbeReport& report) {
  has_answer_ = true;
  last_probe_ = report.text;
  facts_.probe = prober.verdict().verdict();
  if (report.result == ProbeResult::Pass) on_pass();
  const bool was_suspect = report.is_decisive && !suspicion_.empty();
  if (was_suspect && report.result == ProbeResult::Pass) {
    ++acquittals_;
    stall_.acquit(loop_.now());
  } else if (was_suspect) {
    ++stalls_;
    update(suspicion_ + "; " + report.text);
  }
  update(report.text + (prober.verdict().in_a_row() > 1
                            ? ", " + std::to_string(prober.verdict().in_a_row()) + " in a row"
                            : std::string()));
  probed_();
}

void ServerHealth::on_pass() {
  facts_.says_draining = false;
  if (loop_.now() < facts_.ejected_until && !a_pass_tells_) return;
  // A pass ends an ejection early: the server is back, and no client has to be the one who finds out.
  facts_.ejected_until = {};
  ejection_over_.disarm();
  passive_.on_pass(loop_.now());
  if (server_.is_on_trial()) end_trial("a probe passed");
}

void ServerHealth::collect_failures() {
  const TimePoint now = loop_.now();
  collect_results(now);
  collect_bad_answers(now);
  if (fresh_of(seen_draining_, &ServerCounters::said_draining) == 0 || prober_ == nullptr) {
    return;  // where nobody probes nobody would take the word back
  }
  facts_.says_draining = true;
  prober_->hurry();
  update("it says that it drains (Lb-Drain)");
}

/// What the workers have counted since the last call.
std::uint64_t ServerHealth::fresh_of(std::uint64_t& seen, Counter ServerCounters::*counter) const {
  std::uint64_t all = 0;
  for (const auto& counters : server_.counters()) all += ((*counters).*counter).value();
  return all - std::exchange(seen, all);
}

void ServerHealth::collect_results(TimePoint now) {
  std::array<std::uint64_t, kAttemptResults.size()> sums{};
  for (const auto& counters : server_.counters()) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counters->attempts[i].value();
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::uint64_t fresh = sums[i] - std::exchange(seen_[i], sums[i]);
    const auto result = static_cast<AttemptResult>(i);
    if (fresh == 0 || !is_failure(result)) continue;
    if (prober_ != nullptr) prober_->probe_now();  // a witness at once, whatever this leads to
    if (auto why = passive_.on_failures(result, fresh, now)) {
      eject(std::move(*why), result == AttemptResult::Refused, true);
    }
  }
}

void ServerHealth::collect_bad_answers(TimePoint now) {
  const std::uint64_t bad = fresh_of(seen_bad_statuses_, &ServerCounters::bad_statuses);
  const std::uint64_t slow = fresh_of(seen_slow_, &ServerCounters::slow_responses);
  if (auto why = passive_.on_bad_answers(BadAnswer::Status, bad, now)) eject(std::move(*why), false, false);
  if (auto why = passive_.on_bad_answers(BadAnswer::Slow, slow, now)) eject(std::move(*why), false, false);
}

void ServerHealth::eject(std::string why, bool was_refused, bool a_pass_tells) {
  if (!may_eject_(*this, was_refused)) {
    log::warn_limited("not ejected", server_.name(),
                      {{"pool", pool_->name()},
                       {"server", server_.name()},
                       {"why", why},
                       {"but", "the others are too few (passive.max_ejected; the last one is never ejected)"}});
    return;
  }
  const double dice = static_cast<double>(dice_()) / static_cast<double>(std::minstd_rand::max());
  const TimePoint now = loop_.now();
  facts_.ejected_until = passive_.eject(now, dice);
  a_pass_tells_ = a_pass_tells;
  trial_look_.disarm();
  server_.end_trial();
  const auto length = std::chrono::milliseconds(facts_.ejected_until - now);
  timeouts_.arm(ejection_over_, length);
  if (prober_ != nullptr) prober_->hurry();
  update(std::move(why) + "; for " + print_duration(length));
}

std::chrono::milliseconds ServerHealth::unusual_silence_of(const ServerActivity& activity) {
  const TimePoint now = loop_.now();
  if (latency_.is_due(now)) latency_.turn(first_byte_of(server_), now);
  const auto silence = activity.silence(now);
  const auto least = pool_->settings().health.stall_after;
  if (silence < least || server_.state() != State::Healthy) return std::chrono::milliseconds(0);
  const bool is_unusual = silence >= unusual_silence(latency_.quantile(first_byte_of(server_), 0.99), least);
  return is_unusual ? silence : std::chrono::milliseconds(0);
}

void ServerHealth::ask_witness(const ServerActivity& activity, std::chrono::milliseconds silence) {
  if (prober_->is_deciding() || !stall_.is_suspect(silence, loop_.now())) return;
  suspicion_ = "no byte for " + print_duration(silence) + " with " + std::to_string(activity.awaited) +
               (activity.awaited == 1 ? " request waiting" : " requests waiting");
  prober_->decide();
}

void ServerHealth::take_address(const Address& address) {
  server_.publish_address(address);
  facts_.resolution = Resolution::Has;
  facts_.probe = Probe::Unknown;
  facts_.ejected_until = {};
  facts_.says_draining = false;
  passive_.forget();  // what clients suffered there was another server's doing
  ejection_over_.disarm();
  trial_look_.disarm();
  server_.end_trial();
  make_prober();
  update(std::string("its name has the address ") + address.text());
  if (prober_ != nullptr) prober_->probe_now();
}

void ServerHealth::leave_address() {
  facts_.resolution = Resolution::Left;
  update("its name no longer has this address");
}

void ServerHealth::keep_address() {
  facts_.resolution = Resolution::Has;
  update("its name has this address again");
}

void ServerHealth::free_address() {
  facts_.resolution = Resolution::None;
  prober_.reset();
  update("its name has no such address, and nobody is connected to it");
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
  log::info("upstream weight", {{"pool", pool_->name()},
                                {"server", server_.name()},
                                {"from", server_.weight()},
                                {"to", weight},
                                {"why", "the operator set it"}});
  server_.publish_weight(weight, server_.percent());
  changed_();
}

void ServerHealth::on_ejection_over() {
  if (state_of(facts_, loop_.now()) == State::Healthy) {
    passive_.begin_trial();
    server_.begin_trial();
    answers_before_trial_ = answers_of(server_);
    timeouts_.arm(trial_look_, kTrialLook);
  }
  update("the ejection is over; one request at a time until it has answered");
}

void ServerHealth::look_at_trial() {
  collect_failures();  // an answer may be one that clients suffer from
  if (!server_.is_on_trial()) return;
  if (answers_of(server_) > answers_before_trial_) return end_trial("it has answered");
  timeouts_.arm(trial_look_, kTrialLook);
}

void ServerHealth::end_trial(std::string_view why) {
  trial_look_.disarm();
  passive_.end_trial();
  server_.end_trial();
  log::info("upstream trial over", {{"pool", pool_->name()}, {"server", server_.name()}, {"why", why}});
  begin_slow_start();
  changed_();
}

void ServerHealth::begin_slow_start() {
  if (pool_->settings().slow_start.count() == 0) return;
  slow_since_ = loop_.now();
  on_slow_start();
}

void ServerHealth::on_slow_start() {
  const auto length = pool_->settings().slow_start;
  const unsigned percent = slow_start_percent(loop_.now() - slow_since_, length);
  server_.publish_weight(server_.weight(), percent);
  if (percent < 100) timeouts_.arm(next_step_, slow_start_step(length));
}

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
  // At start-up all are cold alike: who is healthy at its first verdict has its share at once.
  if (now == State::Healthy && before != State::Unknown) begin_slow_start();
  server_.publish(now);
  const bool is_bad = now == State::Unhealthy || now == State::Ejected;
  (is_bad ? log::warn : log::info)("upstream state", {{"pool", pool_->name()},
                                                      {"server", server_.name()},
                                                      {"from", state_name(before)},
                                                      {"to", state_name(now)},
                                                      {"why", reason_}});
  changed_();
}

}  // namespace holdfast::lb
