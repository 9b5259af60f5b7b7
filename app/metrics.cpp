#include "app/metrics.h"

#include "app/links/stores.h"

#include <string>

namespace holdfast::app {

void collect_counters(const AppCounters& counters, Scrape& scrape) {
  for (const AppCounterInfo& info : kAppCounters) {
    const Counter& counter = counters.plain[static_cast<std::size_t>(info.id)];
    scrape.counter(info.name, info.help, {}, static_cast<double>(counter.value()));
  }
  for (std::size_t route = 0; route < kRouteNames.size(); ++route) {
    for (std::size_t status = 0; status < counters.responses[route].size(); ++status) {
      const auto count = counters.responses[route][status].value();
      if (count == 0) continue;
      scrape.counter("shortener_http_requests_total", "Requests answered, by route and status.",
                     {{"route", kRouteNames[route]}, {"code", std::to_string(status)}}, static_cast<double>(count));
    }
    scrape.histogram("shortener_http_request_duration_seconds", "From a request read whole to its response written.",
                     {{"route", kRouteNames[route]}}, counters.duration[route].snapshot());
  }
  for (std::size_t tier = 0; tier < kTiers; ++tier) {
    for (std::size_t asked = 0; asked < kAskedWays; ++asked) {
      scrape.counter("shortener_lookup_total", "Look-ups of codes, by the tier that was asked and how that ended.",
                     {{"tier", name_of(static_cast<Tier>(tier))}, {"result", name_of(static_cast<Asked>(asked))}},
                     static_cast<double>(counters.lookups[tier][asked].value()));
    }
  }
  for (std::size_t source = 0; source < kSources; ++source) {
    const std::string_view name = name_of(static_cast<Source>(source));
    scrape.counter("shortener_resolve_total", "Look-ups answered, by who had the answer.", {{"source", name}},
                   static_cast<double>(counters.resolved[source].value()));
    scrape.histogram("shortener_resolve_duration_seconds",
                     "From a look-up's beginning to its answer; those from memory take no time that could be measured.",
                     {{"source", name}}, counters.resolve_duration[source].snapshot());
  }
}

static_assert(kSources == static_cast<std::size_t>(Source::Last) + 1);
static_assert(kTiers == static_cast<std::size_t>(Tier::Last) + 1);
static_assert(kAskedWays == static_cast<std::size_t>(Asked::Last) + 1);

}  // namespace holdfast::app
