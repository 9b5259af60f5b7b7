// The health of all servers: the first round of probes, what concerns several of them at once, and who is who.
// Thread: control.
#pragma once

#include "common/loop/timeouts.h"
#include "lb/health/server_health.h"
#include "lb/pool/snapshot.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::lb {

/// All servers of the snapshot in force.
class HealthMonitor {
 public:
  HealthMonitor(Loop& loop, Timeouts& timeouts, const Snapshot& snapshot, ServerHealth::Changed changed);

  /// Probes every server at once. `first_round` is called when each has answered or failed once, or after the longest
  /// time-out of a probe.
  void start(std::function<void()> first_round);
  /// A reload: what is known of servers that stay is kept, new ones are probed at once, those that left are forgotten.
  void take(const Snapshot& snapshot);
  void collect_failures();

  const std::vector<std::unique_ptr<ServerHealth>>& servers() const { return servers_; }
  /// A server's record; null where it is not one of ours.
  const ServerHealth* of(const Server& server) const;
  /// By the names of pool and server; null where there is none.
  ServerHealth* find(std::string_view pool, std::string_view server) const;

 private:
  std::unique_ptr<ServerHealth> make(ServerPool& pool, Server& server);
  void begin_looking();
  void on_probed();
  void finish_first_round();
  void look_for_stalls();
  bool may_eject(const ServerHealth& server, bool was_refused) const;
  bool goes_on_beside(std::size_t suspect, std::chrono::milliseconds silence) const;

  Loop& loop_;
  TimeoutClass& timeouts_;
  Timeout first_round_timeout_;
  Timeout next_look_;
  bool was_late_ = false;
  HeadScratch scratch_;
  ServerHealth::Changed changed_;
  std::function<void()> probed_;
  ServerHealth::MayEject may_eject_;
  std::function<void()> first_round_;
  std::vector<std::unique_ptr<ServerHealth>> servers_;
  std::vector<ServerActivity> activities_;  // by the place in servers_, of the last look
};

}  // namespace holdfast::lb
