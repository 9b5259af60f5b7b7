#include "lb/config/health_keys.h"

#include "common/http/rules.h"
#include "lb/config/values.h"
#include "lb/pool/placeholders.h"

#include <string>

namespace holdfast::lb {

void describe(Keys& keys, HealthSettings& health) {
  keys.add("uri", health.uri, "path of a probe; left out: no active checks").check([&health]() -> Wrong {
    return health.uri.empty() ? std::nullopt : wrong_path(health.uri);
  });
  keys.add_choice<std::string>("method", health.method, "method of a probe",
                               {{"GET", "GET"}, {"HEAD", "HEAD"}, {"OPTIONS", "OPTIONS"}});
  keys.add("host", health.host, "Host of a probe; left out: the server's address").check([&health]() -> Wrong {
    if (health.host.empty()) return std::nullopt;
    if (auto problem = placeholder_error(health.host)) return problem;
    if (!is_valid_host(health.host)) return "'" + health.host + "' is not a host; write a name such as www.example.com";
    return std::nullopt;
  });
  keys.add("interval", health.interval, "time between two probes of a server", 10ms, 3'600'000ms);
  keys.add("timeout", health.timeout, "a probe without an answer fails after this", 1ms, 60'000ms);
  keys.add("passes", health.passes, "so many passes in a row make a server healthy", 1U, 100U);
  keys.add("fails", health.fails, "so many fails in a row make it unhealthy", 1U, 100U);
  add_status(keys, "status", health.status, "the statuses of a pass");
  keys.add("body", health.body, "text that the first 16 KiB of the answer's body must contain");
  keys.add("port", health.port, "port of a probe; 0: the server's own", 0, 65535);
  keys.add_pairs(
          "headers", "fields of a probe", "a map of names to values", [&health] { health.fields.clear_set(); },
          [&health](std::string_view name, std::string_view value) { return health.fields.set(name, value); },
          [&health] { return health.fields.fields_set(); })
      .secret();
  keys.add_scalar(
      "follow_redirects", "a redirect is an answer like any other, and not followed: it would ask somebody else", "no",
      [](std::string_view text) -> Wrong {
        if (text == "no" || text == "false") return std::nullopt;
        return "redirects are never followed: name the last one's path as health.uri, or take 300-399 into "
               "health.status";
      },
      [] { return "no"; });
  keys.add("stall_after", health.stall_after,
           "a server that owes answers and has sent no byte for so long (or for 3 times its p99, up to 1 s, where that "
           "is more) while others of its pool go on is probed at once, and that probe alone decides; 0: never",
           0ms, 60'000ms);
  keys.add("stall_timeout", health.stall_timeout,
           "time-out of that probe (or 4 times what the last passing probe took, where that is more)", 10ms, 60'000ms);
}

void describe(Keys& keys, PassiveSettings& passive) {
  keys.add(
      "max_fails", passive.max_fails,
      "so many failed attempts within fail_window eject a server (a refused connection does by itself); 0: none do", 0U,
      1000U);
  keys.add("fail_window", passive.fail_window, "how long a failed attempt counts", 100ms, 3'600'000ms);
  keys.add("eject_for", passive.eject_for,
           "length of the first ejection, up to a tenth more or less; each one in a row is twice as long", 10ms,
           3'600'000ms);
  keys.add("eject_max", passive.eject_max, "length of the longest ejection", 10ms, 3'600'000ms);
  keys.add_percent(
      "max_ejected", passive.max_ejected_percent,
      "share of the servers that may be ejected at a time, one in any case; the last that may get requests "
      "never is. Refused connections eject beyond it",
      0, 100);
  add_status(keys, "statuses", passive.statuses, "answers that count as failures; the empty list: none");
  keys.add("latency", passive.latency, "an answer whose head takes longer counts as a failure; 0: none does", 0ms,
           3'600'000ms);
}

void describe(Keys& keys, IdempotencyProbeSettings& probe) {
  keys.add("uri", probe.uri, "path of the POST; left out: nobody is asked").check([&probe]() -> Wrong {
    return probe.uri.empty() ? std::nullopt : wrong_path(probe.uri);
  });
  keys.add("body", probe.body, "its body; something that may be executed once at each start");
  keys.add_pairs(
          "headers", "its fields; Content-Type is application/json where it is not among them",
          "a map of names to values", [&probe] { probe.fields.clear_set(); },
          [&probe](std::string_view name, std::string_view value) { return probe.fields.set(name, value); },
          [&probe] { return probe.fields.fields_set(); })
      .secret();
  keys.add("timeout", probe.timeout, "each answer has so long to come", 1ms, 60'000ms);
}

}  // namespace holdfast::lb
