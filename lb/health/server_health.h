// Keeps one server's facts, derives its state, publishes it to the workers and remembers why.
// Thread: control; the only writer of the server's state.
#pragma once

#include "lb/health/passive.h"
#include "lb/health/prober.h"
#include "lb/health/stall.h"
#include "lb/pool/recent_latency.h"

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace holdfast::lb {

/// What is known of one server beside its traffic.
class ServerHealth final : private Prober::User {
 public:
  /// Called after each change of state, when the workers can see it.
  using Changed = std::function<void()>;
  /// Whether the rest of its pool can do without it.
  using MayEject = std::function<bool(const ServerHealth& server, bool was_refused)>;

  ServerHealth(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, ServerPool& pool, Server& server,
               const Changed& changed, const std::function<void()>& probed, const MayEject& may_eject);

  void start();
  /// A reload has put `pool` in place of its own: what is known of the server stays. Not from inside a call of its own.
  void take(ServerPool& pool);
  /// Looks at what the workers have counted since the last call.
  void collect_failures();
  /// How long it has been silent, where that is unusual for it; else 0.
  std::chrono::milliseconds unusual_silence_of(const ServerActivity& activity);
  /// Others of its pool do not share its silence: a probe decides.
  void ask_witness(const ServerActivity& activity, std::chrono::milliseconds silence);
  bool is_watched() const { return prober_ != nullptr && pool_->settings().health.stall_after.count() > 0; }

  /// What DNS says. None of these from inside a call of its own.
  /// Its name has this address; it is probed like a new server.
  void take_address(const Address& address);
  /// Its name no longer has its address: no new requests.
  void leave_address();
  /// Its name has it again.
  void keep_address();
  /// Nobody is connected to it any more: it may take another address.
  void free_address();

  /// The operator's word.
  void set_admin(Admin admin);
  void set_weight(unsigned weight);

  const ServerPool& pool() const { return *pool_; }
  const ServerFacts& facts() const { return facts_; }
  Server& server() { return server_; }
  const Server& server() const { return server_; }
  const Prober* prober() const { return prober_.get(); }
  std::chrono::milliseconds probe_timeout() const { return pool_->settings().health.timeout; }
  bool has_verdict() const { return prober_ == nullptr || facts_.probe != Probe::Unknown || has_answer_; }
  std::chrono::system_clock::time_point since() const { return since_; }
  const std::string& reason() const { return reason_; }
  const History& history() const { return history_; }
  const std::string& last_probe() const { return last_probe_; }
  /// How often its silence was asked about and it answered, and how often it hung.
  std::uint64_t acquittals() const { return acquittals_; }
  std::uint64_t stalls() const { return stalls_; }

 private:
  void on_probe(Prober& prober, const ProbeReport& report) override;
  void on_pass();
  std::uint64_t fresh_of(std::uint64_t& seen, Counter ServerCounters::*counter) const;
  void collect_results(TimePoint now);
  void collect_bad_answers(TimePoint now);
  /// Of those that a pass ends early, `a_pass_tells`: a probe knows nothing of statuses and latencies.
  void eject(std::string why, bool was_refused, bool a_pass_tells);
  void on_ejection_over();
  void look_at_trial();
  void end_trial(std::string_view why);
  void make_prober();
  void begin_slow_start();
  void on_slow_start();
  void update(std::string reason);

  Loop& loop_;
  TimeoutClass& timeouts_;
  HeadScratch& scratch_;
  ServerPool* pool_;
  Server& server_;
  const Changed& changed_;
  const std::function<void()>& probed_;
  const MayEject& may_eject_;
  PassiveHealth passive_;
  std::unique_ptr<Prober> prober_;
  Timeout ejection_over_;
  Timeout trial_look_;
  std::uint64_t answers_before_trial_ = 0;
  bool a_pass_tells_ = true;
  Timeout next_step_;  // of the slow start
  TimePoint slow_since_{};
  ServerFacts facts_;
  std::array<std::uint64_t, kAttemptResults.size()> seen_{};  // of the workers' counters
  std::uint64_t seen_draining_ = 0;
  std::uint64_t seen_bad_statuses_ = 0;
  std::uint64_t seen_slow_ = 0;
  bool has_answer_ = false;
  RecentLatency latency_;
  StallWatch stall_;
  std::string suspicion_;
  std::uint64_t acquittals_ = 0;
  std::uint64_t stalls_ = 0;
  std::chrono::system_clock::time_point since_;
  std::string reason_;
  std::string last_probe_;
  std::minstd_rand dice_{std::random_device{}()};
  History history_;
};

}  // namespace holdfast::lb
