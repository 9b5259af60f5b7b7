#include "lb/admin/metrics.h"

#include "lb/pool/ledger.h"

#include <string>

namespace holdfast::lb {
namespace {

/// The sum of one counter over the workers.
template <class Counters, class Pick>
double sum(const Counters& workers, Pick pick) {
  double all = 0;
  for (const auto& one : workers) all += static_cast<double>(pick(*one).value());
  return all;
}

template <class Counters, class Pick>
HistogramSnapshot merge(const Counters& workers, Pick pick) {
  HistogramSnapshot all;
  for (const auto& one : workers) all += pick(*one).snapshot();
  return all;
}

std::string class_name(std::size_t hundred) { return std::to_string(hundred + 1) + "xx"; }

/// One row for each value of an enumeration that has a table of names; those that never happened are shown as 0.
template <class Counters, std::size_t N, class Pick>
void by_name(Scrape& scrape, const Counters& workers, const std::array<std::string_view, N>& names,
             std::string_view metric, std::string_view help, std::string_view label,
             std::initializer_list<std::pair<std::string_view, std::string_view>> labels, Pick pick) {
  for (std::size_t i = 0; i < N; ++i) {
    const double value = sum(workers, [&](const auto& counters) -> const Counter& { return pick(counters)[i]; });
    if (labels.size() == 1) {
      scrape.counter(metric, help, {*labels.begin(), {label, names[i]}}, value);
    } else if (labels.size() == 2) {
      scrape.counter(metric, help, {*labels.begin(), *(labels.begin() + 1), {label, names[i]}}, value);
    } else {
      scrape.counter(metric, help, {{label, names[i]}}, value);
    }
  }
}

void collect_pool(Scrape& scrape, const ServerPool& pool) {
  const auto& workers = pool.counters();
  const std::string_view name = pool.name();
  const auto counter = [&](std::string_view metric, std::string_view help, auto pick) {
    scrape.counter(metric, help, {{"pool", name}}, sum(workers, pick));
  };
  const auto gauge = [&](std::string_view metric, std::string_view help, auto pick) {
    scrape.gauge(metric, help, {{"pool", name}}, sum(workers, pick));
  };
  counter("lb_requests_started_total", "Request heads read whole.",
          [](const PoolCounters& c) -> const Counter& { return c.requests; });
  for (std::size_t code = 100; code < 600; ++code) {
    const double value = sum(workers, [&](const PoolCounters& c) -> const Counter& { return c.responses[code]; });
    if (value == 0 && code != 200 && code != 302 && code != 502 && code != 503) continue;
    scrape.counter("lb_requests_total", "Responses to clients, by status.",
                   {{"pool", name}, {"code", std::to_string(code)}}, value);
  }
  by_name(
      scrape, workers, kOutcomes, "lb_request_outcomes_total", "How requests ended; each in exactly one way.",
      "outcome", {{"pool", name}}, [](const PoolCounters& c) -> const auto& { return c.outcomes; });
  by_name(
      scrape, workers, kLocalErrors, "lb_local_errors_total", "Responses made by lb itself, by reason.", "reason",
      {{"pool", name}}, [](const PoolCounters& c) -> const auto& { return c.local_errors; });
  by_name(
      scrape, workers, kAttemptResults, "lb_retries_total",
      "Attempts after the first, by how the one before had ended.", "reason", {{"pool", name}},
      [](const PoolCounters& c) -> const auto& { return c.retries; });
  counter("lb_retry_successes_total", "Requests answered by a later attempt than the first.",
          [](const PoolCounters& c) -> const Counter& { return c.retry_successes; });
  counter("lb_retries_delayed_total", "Retries that had to wait for the retry budget.",
          [](const PoolCounters& c) -> const Counter& { return c.retries_delayed; });
  gauge("lb_retry_budget_tokens",
        "Retries that the budget had left after the last one; negative where it is overdrawn.",
        [](const PoolCounters& c) -> const Gauge& { return c.retry_budget; });
  counter("lb_hedges_total", "Requests sent to a second server because the first one took long to answer.",
          [](const PoolCounters& c) -> const Counter& { return c.hedges; });
  counter("lb_hedge_wins_total", "Requests that the second server answered.",
          [](const PoolCounters& c) -> const Counter& { return c.hedge_wins; });
  counter("lb_hedges_withheld_total", "Requests that were not sent to a second server because hedge.max had been.",
          [](const PoolCounters& c) -> const Counter& { return c.hedges_withheld; });
  counter("lb_idempotency_keys_assigned_total", "Requests that were given an Idempotency-Key.",
          [](const PoolCounters& c) -> const Counter& { return c.keys_assigned; });
  gauge("lb_requests_in_flight", "Requests that have begun and not ended.",
        [](const PoolCounters& c) -> const Gauge& { return c.in_flight; });
  gauge("lb_tunnels", "Connections that were changed to another protocol and are open; in flight as well.",
        [](const PoolCounters& c) -> const Gauge& { return c.tunnels; });
  gauge("lb_queue_length", "Requests that wait for a server.",
        [](const PoolCounters& c) -> const Gauge& { return c.queued; });
  counter("lb_queued_total", "Requests that had to wait for a server or before another round.",
          [](const PoolCounters& c) -> const Counter& { return c.queued_total; });
  counter("lb_responses_held_total", "Responses held until whole.",
          [](const PoolCounters& c) -> const Counter& { return c.responses_held; });
  counter("lb_responses_streamed_total", "Responses passed on as they came.",
          [](const PoolCounters& c) -> const Counter& { return c.responses_streamed; });
  for (std::size_t hundred = 0; hundred < kCodeClasses; ++hundred) {
    scrape.histogram("lb_request_duration_seconds", "From a request's head to the last byte of its response.",
                     {{"pool", name}, {"code_class", class_name(hundred)}},
                     merge(workers, [&](const PoolCounters& c) -> const Histogram& { return c.duration[hundred]; }));
  }
  scrape.gauge("lb_ledger_imbalance", "Requests started, less those ended or in flight: 0, or a count is wrong.",
               {{"pool", name}}, static_cast<double>(ledger_of(pool).imbalance()));
}

void collect_server(Scrape& scrape, const ServerPool& pool, const Server& server, const ServerHealth* health) {
  const auto& workers = server.counters();
  const std::string_view p = pool.name();
  const std::string_view u = server.name();
  const State state = server.state();
  scrape.gauge("lb_upstream_up", "1 where the server may get new requests.", {{"pool", p}, {"upstream", u}},
               state == State::Healthy || state == State::Unknown ? 1 : 0);
  for (const State one : kStates) {
    scrape.gauge("lb_upstream_state", "1 for the state that the server is in.",
                 {{"pool", p}, {"upstream", u}, {"state", state_name(one)}}, state == one ? 1 : 0);
  }
  scrape.gauge("lb_upstream_weight", "Configured weight.", {{"pool", p}, {"upstream", u}}, server.weight());
  scrape.gauge("lb_upstream_weight_percent", "Of its weight, what the server gets: less than 100 in its slow start.",
               {{"pool", p}, {"upstream", u}}, server.percent());
  scrape.counter("lb_upstream_requests_total", "Requests sent to the server, repeated ones too.",
                 {{"pool", p}, {"upstream", u}},
                 sum(workers, [](const ServerCounters& c) -> const Counter& { return c.requests; }));
  for (std::size_t hundred = 0; hundred < kCodeClasses; ++hundred) {
    scrape.counter("lb_upstream_responses_total", "Responses of the server, by class of status.",
                   {{"pool", p}, {"upstream", u}, {"code_class", class_name(hundred)}},
                   sum(workers, [&](const ServerCounters& c) -> const Counter& { return c.responses[hundred]; }));
  }
  scrape.gauge("lb_upstream_requests_in_flight", "Attempts under way.", {{"pool", p}, {"upstream", u}},
               sum(workers, [](const ServerCounters& c) -> const Gauge& { return c.in_flight; }));
  by_name(
      scrape, workers, kAttemptResults, "lb_attempts_total", "Attempts, by how they ended.", "result",
      {{"pool", p}, {"upstream", u}}, [](const ServerCounters& c) -> const auto& { return c.attempts; });
  scrape.histogram("lb_upstream_first_byte_seconds", "From the start of an attempt to its response's head.",
                   {{"pool", p}, {"upstream", u}},
                   merge(workers, [](const ServerCounters& c) -> const Histogram& { return c.first_byte; }));
  scrape.gauge("lb_upstream_connections", "Connections to the server.",
               {{"pool", p}, {"upstream", u}, {"state", "active"}},
               sum(workers, [](const ServerCounters& c) -> const Gauge& { return c.connections_active; }));
  scrape.gauge("lb_upstream_connections", "Connections to the server.",
               {{"pool", p}, {"upstream", u}, {"state", "idle"}},
               sum(workers, [](const ServerCounters& c) -> const Gauge& { return c.connections_idle; }));
  scrape.counter("lb_upstream_connections_opened_total", "Connections begun to the server.",
                 {{"pool", p}, {"upstream", u}},
                 sum(workers, [](const ServerCounters& c) -> const Counter& { return c.connections_opened; }));
  scrape.counter("lb_upstream_connections_reused_total", "Requests sent on a kept connection.",
                 {{"pool", p}, {"upstream", u}},
                 sum(workers, [](const ServerCounters& c) -> const Counter& { return c.connections_reused; }));
  if (health == nullptr) return;
  scrape.counter("lb_upstream_state_changes_total", "Changes of state.", {{"pool", p}, {"upstream", u}},
                 static_cast<double>(health->history().count()));
  scrape.gauge("lb_upstream_last_change_timestamp_seconds", "When the state last changed.",
               {{"pool", p}, {"upstream", u}},
               std::chrono::duration<double>(health->since().time_since_epoch()).count());
  if (health->prober() == nullptr) return;
  for (std::size_t i = 0; i < kProbeResults.size(); ++i) {
    scrape.counter("lb_health_checks_total", "Probes, by what they saw.",
                   {{"pool", p}, {"upstream", u}, {"result", kProbeResults[i]}},
                   static_cast<double>(health->prober()->count(static_cast<ProbeResult>(i))));
  }
  scrape.counter("lb_upstream_stalls_total", "Unusual silences that a probe was asked about, by what it found.",
                 {{"pool", p}, {"upstream", u}, {"found", "hung"}}, static_cast<double>(health->stalls()));
  scrape.counter("lb_upstream_stalls_total", "Unusual silences that a probe was asked about, by what it found.",
                 {{"pool", p}, {"upstream", u}, {"found", "alive"}}, static_cast<double>(health->acquittals()));
  scrape.gauge("lb_health_check_duration_seconds", "How long the last probe took.", {{"pool", p}, {"upstream", u}},
               std::chrono::duration<double>(health->prober()->last_took()).count());
}

void collect_access_log(Scrape& scrape, const AccessLog& log) {
  const auto& channels = log.channels();
  scrape.counter("lb_access_log_lines_total", "Lines handed to the access log.", {},
                 sum(channels, [](const AccessLogChannel& c) -> const Counter& { return c.lines; }));
  constexpr std::string_view kDropped = "lb_access_log_dropped_total";
  constexpr std::string_view kHelp =
      "Lines that are missing in the access log, by why: no room while it stood still, or an error.";
  scrape.counter(kDropped, kHelp, {{"reason", "full"}},
                 sum(channels, [](const AccessLogChannel& c) -> const Counter& { return c.dropped; }));
  scrape.counter(kDropped, kHelp, {{"reason", "unwritten"}}, static_cast<double>(log.lost()));
}

}  // namespace

void collect_lb(Scrape& scrape, const MetricSources& sources) {
  collect_process(scrape, "lb");
  const auto& workers = sources.workers;
  scrape.gauge("lb_listener_connections", "Clients' connections.", {{"listener", "public"}},
               sum(workers, [](const WorkerCounters& c) -> const Gauge& { return c.connections; }));
  scrape.counter("lb_listener_connections_total", "Connections accepted from clients.", {{"listener", "public"}},
                 sum(workers, [](const WorkerCounters& c) -> const Counter& { return c.connections_total; }));
  by_name(
      scrape, workers, kRejections, "lb_listener_rejected_total",
      "Connections and messages turned away before they were a request.", "reason", {{"listener", "public"}},
      [](const WorkerCounters& c) -> const auto& { return c.rejected; });
  scrape.gauge("lb_listener_connections_max", "Clients' connections that there may be at a time.",
               {{"listener", "public"}}, static_cast<double>(sources.snapshot.settings.limits.connections));
  by_name(
      scrape, workers, kShortages, "lb_listener_pauses_total",
      "How often no more connections were taken for a while, by what was missing.", "missing", {{"listener", "public"}},
      [](const WorkerCounters& c) -> const auto& { return c.pauses; });
  scrape.counter("lb_listener_idle_closed_total", "Idle connections closed to make room for others.",
                 {{"listener", "public"}},
                 sum(workers, [](const WorkerCounters& c) -> const Counter& { return c.idle_evicted; }));
  by_name(
      scrape, workers, kClientTimeouts, "lb_listener_timeouts_total", "Time-outs of clients, by what was awaited.",
      "awaited", {{"listener", "public"}}, [](const WorkerCounters& c) -> const auto& { return c.timeouts; });
  if (sources.access_log != nullptr) collect_access_log(scrape, *sources.access_log);
  const Reload& reload = sources.reload;
  const std::chrono::duration<double> since = reload.since().time_since_epoch();
  scrape.gauge("lb_config_last_reload_successful", "0 where the file was refused the last time.", {},
               reload.was_last_well() ? 1 : 0);
  scrape.gauge("lb_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.", {},
               since.count());
  scrape.counter("lb_config_reloads_total", "Reloads, by what came of them.", {{"result", "success"}},
                 static_cast<double>(reload.succeeded()));
  scrape.counter("lb_config_reloads_total", "Reloads, by what came of them.", {{"result", "failure"}},
                 static_cast<double>(reload.failed()));
  scrape.gauge("lb_draining", "1 while lb is shutting down.", {}, sources.is_draining() ? 1 : 0);
  collect_pool(scrape, *sources.snapshot.unrouted);
  for (const auto& pool : sources.snapshot.pools) {
    collect_pool(scrape, *pool);
    for (const auto& server : pool->servers()) {
      if (server->is_known()) collect_server(scrape, *pool, *server, sources.health.of(*server));
    }
  }
}

}  // namespace holdfast::lb
