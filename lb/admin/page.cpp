#include "lb/admin/page.h"

#include "common/html.h"
#include "common/version.h"
#include "lb/pool/ledger.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <optional>

namespace holdfast::lb {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.state { font-weight: 600; } .healthy { color: #1a7f37; } .unhealthy, .ejected, .down { color: #cf222e; }
.unknown, .draining { color: #9a6700; } .ledger { font-size: 1.15rem; } .why { color: #777; }
)";

/// 1204331 as 1 204 331.
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, "\u202f");
  return digits;
}

std::string time_of(std::chrono::system_clock::time_point at) {
  return fmt::format("{:%F %T} UTC", fmt::gmtime(std::chrono::system_clock::to_time_t(at)));
}

/// Zero drop as a number that one can read.
std::string ledger(const ServerPool& pool) {
  const Ledger all = ledger_of(pool);
  std::uint64_t retries = 0;
  for (const auto& counters : pool.counters()) {
    for (const Counter& one : counters->retries) retries += one.value();
  }
  return fmt::format(
      "<p class=\"ledger\">{} requests, {} cut, {} local errors, {} saved by retry ({} attempts repeated), {} left by "
      "their client.</p>\n",
      grouped(all.started), grouped(all.of(Outcome::Cut)), grouped(all.of(Outcome::LocalError)), grouped(all.saved),
      grouped(retries), grouped(all.of(Outcome::ClientGone)));
}

std::string routes(const Settings& settings, std::string_view pool) {
  std::string list;
  for (const RouteSettings& route : settings.routes) {
    if (route.pool == pool) list += (list.empty() ? "" : ", ") + html(route.host) + html(route.path);
  }
  return list.empty() ? list : "<p class=\"why\">" + list + "</p>\n";
}

std::string server_row(const Server& server, const ServerHealth* health, std::optional<double> rate) {
  std::int64_t in_flight = 0;
  std::uint64_t failed = 0;
  HistogramSnapshot first_byte;
  for (const auto& counters : server.counters()) {
    in_flight += counters->in_flight.value();
    first_byte += counters->first_byte.snapshot();
    for (std::size_t i = 0; i < counters->attempts.size(); ++i) {
      if (is_failure(static_cast<AttemptResult>(i))) failed += counters->attempts[i].value();
    }
  }
  return fmt::format(
      "<tr><td>{}</td><td class=\"state {}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
      "class=\"n\">{}</td><td class=\"n\">{}</td>"
      "<td class=\"n\">{:.1f} ms</td><td class=\"why\">{}<br>since {}</td></tr>\n",
      html(server.name()), state_name(server.state()), state_name(server.state()),
      rate ? fmt::format("{:.0f}", *rate) : std::string("–"), grouped(requests_of(server)), in_flight, grouped(failed),
      first_byte.quantile(0.99) * 1e3, health == nullptr ? "" : html(health->reason()),
      health == nullptr ? "" : time_of(health->since()));
}

std::string transitions(const ServerPool& pool, const HealthMonitor& health) {
  std::string rows;
  for (const auto& server : pool.servers()) {
    const ServerHealth* record = health.of(*server);
    if (record == nullptr) continue;
    const auto& entries = record->history().entries();
    const std::size_t first = entries.size() > 10 ? entries.size() - 10 : 0;
    for (std::size_t i = entries.size(); i > first; --i) {
      const Transition& one = entries[i - 1];
      rows += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{} → <span class=\"{}\">{}</span></td><td class=\"why\">{}</td></tr>\n",
          time_of(one.at), html(server->name()), state_name(one.from), state_name(one.to), state_name(one.to),
          html(one.reason));
    }
  }
  return rows;
}

}  // namespace

std::string status_page(const Snapshot& snapshot, const HealthMonitor& health, const RequestRates& rates) {
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\"><title>lb</title>"
      "<link rel=\"icon\" href=\"data:,\"><style>{}</style></head><body>\n<h1>lb</h1>\n",
      kStyle);
  for (const auto& pool : snapshot.pools) {
    page += fmt::format("<h2>Pool {}</h2>\n", html(pool->name()));
    page += routes(snapshot.settings, pool->name());
    page += ledger(*pool);
    page +=
        "<table><tr><th>Server</th><th>State</th><th class=\"n\">Requests/s</th><th class=\"n\">Requests</th><th "
        "class=\"n\">In flight</th>"
        "<th class=\"n\">Failures</th><th class=\"n\">p99</th><th>Why</th></tr>\n";
    for (const auto& server : pool->servers()) {
      if (server->is_known()) page += server_row(*server, health.of(*server), rates.of(*pool, *server));
    }
    page +=
        "</table>\n<h3>Changes of "
        "state</h3>\n<table><tr><th>Time</th><th>Server</th><th>Change</th><th>Why</th></tr>\n";
    page += transitions(*pool, health);
    page += "</table>\n";
  }
  if (!snapshot.settings.routes.empty()) page += "<h2>Without a route</h2>\n" + ledger(*snapshot.unrouted);
  page += fmt::format(
      "<p><a href=\"/metrics\">metrics</a> · <a href=\"/upstreams\">upstreams (JSON)</a> · <a "
      "href=\"/config\">configuration</a> · "
      "<a href=\"/debug/exchanges\">requests under way</a> · <a href=\"/requests\">ended</a> · "
      "<a href=\"/requests?troubled=1\">those that did not go well</a> · <a href=\"/events\">events</a></p>\n<p "
      "class=\"why\">lb {} ({})</p></body></html>\n",
      kVersion, kRevision);
  return page;
}

}  // namespace holdfast::lb
