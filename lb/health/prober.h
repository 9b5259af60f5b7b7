// Active checks of one server: a request every interval on a new connection, at once when asked.
// Thread: control.
#pragma once

#include "common/http/client.h"
#include "lb/pool/server.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace holdfast::lb {

/// What a probe saw, in a word for the metric and a sentence for people.
enum class ProbeResult : std::uint8_t { Pass, Status, Body, Refused, Timeout, Reset, Malformed };
inline constexpr std::array<std::string_view, 7> kProbeResults{"pass",    "status", "body",     "refused",
                                                               "timeout", "reset",  "malformed"};

struct ProbeReport {
  ProbeResult result = ProbeResult::Pass;
  std::string text;  // `GET /health: 200 in 0.8 ms`
  std::chrono::nanoseconds took{};
  bool is_decisive = false;  // Prober::decide() asked for it
};

/// Judges an answer to a probe. Pure.
ProbeReport judge_probe(const HealthSettings& settings, const Result<HttpAnswer>& answer,
                        std::chrono::nanoseconds took);

/// Consecutive results make a verdict. Pure.
class ProbeVerdict {
 public:
  ProbeVerdict(unsigned passes, unsigned fails) : passes_(passes), fails_(fails) {}
  /// What was found by other numbers so far stands until these say otherwise.
  void go_on_from(const ProbeVerdict& before) {
    in_a_row_ = before.in_a_row_;
    last_passed_ = before.last_passed_;
    in_doubt_ = before.in_doubt_;
    verdict_ = before.verdict_;
  }
  /// True where the verdict changed. A decisive failure needs no other before it.
  bool add(bool passed, bool is_decisive = false);
  Probe verdict() const { return verdict_; }
  /// The last result speaks against the verdict, or there is none yet: look again soon.
  bool is_in_doubt() const { return in_doubt_; }
  unsigned in_a_row() const { return in_a_row_; }

 private:
  unsigned passes_;
  unsigned fails_;
  unsigned in_a_row_ = 0;
  bool last_passed_ = false;
  bool in_doubt_ = true;
  Probe verdict_ = Probe::Unknown;
};

/// While a server's state is in doubt it is probed this often.
inline constexpr std::chrono::milliseconds kDoubtInterval{100};

/// Until the next probe: short while the state is in doubt; while the server fails, a tenth of the time that it has
/// failed for, so that one that comes back soon is seen soon, and one that stays away costs little. Never longer than
/// `configured`. Pure.
constexpr std::chrono::milliseconds probe_interval(std::chrono::milliseconds configured, bool is_in_doubt,
                                                   std::optional<std::chrono::milliseconds> failing_for) {
  const auto shortest = std::min(kDoubtInterval, configured);
  if (is_in_doubt) return shortest;
  return failing_for ? std::clamp(*failing_for / 10, shortest, configured) : configured;
}

class Prober final : private HttpCall::User {
 public:
  class User {
   public:
    virtual void on_probe(Prober& prober, const ProbeReport& report) = 0;

   protected:
    ~User() = default;
  };

  Prober(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, const HealthSettings& settings, const Server& server,
         User& user);

  /// Knows what another prober of the same server knew. Before its first probe.
  void go_on_from(const Prober& before);
  /// Probes now, and from then on by itself. Does nothing while a probe is under way.
  void probe_now();
  /// Probes now; the result counts by itself, and a failure is known within settings.stall_timeout (within 4 times what
  /// the last pass took, where that is more).
  void decide();
  bool is_deciding() const { return is_decisive_; }
  /// The next probe comes sooner: within kDoubtInterval.
  void hurry();

  /// Until the next probe; 0 while one is under way.
  std::chrono::milliseconds next_in() const {
    return due_.is_armed() ? std::chrono::milliseconds(std::max(due_.deadline() - loop_.now(), LoopClock::duration(0)))
                           : std::chrono::milliseconds(0);
  }

  const ProbeVerdict& verdict() const { return verdict_; }
  std::uint64_t count(ProbeResult result) const { return counts_[static_cast<std::size_t>(result)]; }
  std::chrono::nanoseconds last_took() const { return last_took_; }

 private:
  void on_answer(const Result<HttpAnswer>& answer) override;
  void on_due() { probe_now(); }
  void start(std::chrono::milliseconds timeout);
  void tell_first_failure(const ProbeReport& report, bool has_decided);
  std::chrono::milliseconds next_interval();

  Loop& loop_;
  TimeoutClass& timeouts_;
  const HealthSettings& settings_;
  const Server& server_;
  User& user_;
  HttpCall call_;
  Timeout due_;
  std::string request_;
  ProbeVerdict verdict_;
  std::uint64_t began_ns_ = 0;
  std::optional<TimePoint> failing_since_;  // or in doubt for another reason
  std::chrono::nanoseconds last_took_{};
  std::chrono::nanoseconds last_pass_took_{};
  bool is_decisive_ = false;
  std::array<std::uint64_t, kProbeResults.size()> counts_{};
  std::minstd_rand dice_{std::random_device{}()};
};

}  // namespace holdfast::lb
