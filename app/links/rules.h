// What following a link does beside leading to its target: status, dates, switches. They travel with the target through
// every cache as one text, so that each tier serves a link in the same way, and judges its dates when it is served.
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::app {

struct LinkRules {
  int status = 302;  // 301, 302, 307 or 308
  bool is_enabled = true;
  bool forwards_query = true;       // what stands behind the '?' of a visit goes on to the target
  bool is_crawlable = false;        // else search engines are asked to leave it out
  bool is_counted = false;          // it may be followed so often: the primary counts
  std::int64_t valid_since_ms = 0;  // of the Unix epoch; 0: no bound
  std::int64_t valid_until_ms = 0;

  friend bool operator==(const LinkRules&, const LinkRules&) = default;
};

/// A link as the caches keep it: the bare target where its rules are the usual ones, else
/// `=status flags;since;until target`, such as `=301x;0;1767225600000 https://example.com/`.
/// Flags: x disabled, q the query stays here, r open to robots, m counted. (FindLinks writes the same in SQL.)
std::string packed(const LinkRules& rules, std::string_view target);

struct Unpacked {
  LinkRules rules;
  std::string_view target;  // a view of what was given
};
/// Nothing where it was not made by packed().
std::optional<Unpacked> unpacked(std::string_view value);

/// Whether a link is to be followed at a time.
enum class Validity : std::uint8_t { Valid, Disabled, TooEarly, Expired };
Validity validity_of(const LinkRules& rules, std::chrono::system_clock::time_point now);

/// `target` with the query of a visit: what the target says itself wins, name by name. As it is where there is
/// nothing to add, or where it would become too long.
std::string with_query(std::string_view target, std::string_view query);

}  // namespace holdfast::app
