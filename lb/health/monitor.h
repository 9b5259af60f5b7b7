// Keeps each server's facts, derives its state, publishes it to the workers and remembers why.
// Thread: control; the only writer of every server's state.
#pragma once

#include "common/loop/timeouts.h"
#include "lb/health/passive.h"
#include "lb/health/prober.h"
#include "lb/pool/snapshot.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::lb {

/// What is known of one server beside its traffic.
class ServerHealth final : private Prober::User {
 public:
  /// Called after each change of state, when the workers can see it.
  using Changed = std::function<void()>;

  ServerHealth(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, ServerPool& pool, Server& server,
               const Changed& changed, const std::function<void()>& probed);

  void start();
  /// Looks at what the workers have counted since the last call.
  void collect_failures();

  /// The operator's word.
  void set_admin(Admin admin);
  void set_weight(unsigned weight);

  const ServerPool& pool() const { return pool_; }
  const ServerFacts& facts() const { return facts_; }
  Server& server() { return server_; }
  const Server& server() const { return server_; }
  const Prober* prober() const { return prober_.get(); }
  std::chrono::milliseconds probe_timeout() const { return pool_.settings().health.timeout; }
  bool has_verdict() const { return prober_ == nullptr || facts_.probe != Probe::Unknown || has_answer_; }
  std::chrono::system_clock::time_point since() const { return since_; }
  const std::string& reason() const { return reason_; }
  const History& history() const { return history_; }
  const std::string& last_probe() const { return last_probe_; }

 private:
  void on_probe(Prober& prober, const ProbeReport& report) override;
  void on_ejection_over();
  void update(std::string reason);

  Loop& loop_;
  TimeoutClass& timeouts_;
  ServerPool& pool_;
  Server& server_;
  const Changed& changed_;
  const std::function<void()>& probed_;
  PassiveHealth passive_;
  std::unique_ptr<Prober> prober_;
  Timeout ejection_over_;
  ServerFacts facts_;
  std::array<std::uint64_t, kAttemptResults.size()> seen_{};  // of the workers' counters
  std::uint64_t seen_draining_ = 0;
  bool has_answer_ = false;
  std::chrono::system_clock::time_point since_;
  std::string reason_;
  std::string last_probe_;
  History history_;
};

/// All servers of one snapshot.
class HealthMonitor {
 public:
  HealthMonitor(Loop& loop, Timeouts& timeouts, const Snapshot& snapshot, ServerHealth::Changed changed);

  /// Probes every server at once. `first_round` is called when each has answered or failed once, or after the longest
  /// time-out of a probe.
  void start(std::function<void()> first_round);
  void collect_failures();

  const std::vector<std::unique_ptr<ServerHealth>>& servers() const { return servers_; }
  /// A server's record; null where it is not one of ours.
  const ServerHealth* of(const Server& server) const;
  /// By the names of pool and server; null where there is none.
  ServerHealth* find(std::string_view pool, std::string_view server) const;

 private:
  void on_probed();
  void finish_first_round();

  TimeoutClass& timeouts_;
  Timeout first_round_timeout_;
  HeadScratch scratch_;
  ServerHealth::Changed changed_;
  std::function<void()> probed_;
  std::function<void()> first_round_;
  std::vector<std::unique_ptr<ServerHealth>> servers_;
};

}  // namespace holdfast::lb
