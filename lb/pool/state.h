// The state of a server: derived from facts that each have one writer, never stored as a sum of them.
// Thread: control; only the resulting State crosses to the workers.
#pragma once

#include "common/loop/loop.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

/// | state     | who says so                          | new requests                    |
/// |-----------|--------------------------------------|---------------------------------|
/// | Unknown   | nobody yet                           | only where no server is healthy |
/// | Healthy   | probes pass, clients do not suffer   | yes                             |
/// | Unhealthy | probes fail                          | no                              |
/// | Ejected   | clients suffered                     | no, for a time                  |
/// | Draining  | the operator, the server itself, DNS | no; those in flight end         |
/// | Down      | the operator, or DNS                 | no                              |
enum class State : std::uint8_t { Unknown, Healthy, Unhealthy, Ejected, Draining, Down };
inline constexpr std::array<State, 6> kStates{State::Unknown, State::Healthy,  State::Unhealthy,
                                              State::Ejected, State::Draining, State::Down};
std::string_view state_name(State state);
constexpr bool may_get_requests(State state) { return state == State::Healthy || state == State::Unknown; }

/// What probes said last, after `passes` or `fails` in a row.
enum class Probe : std::uint8_t { Unknown, Passing, Failing };
/// What DNS says of a server that is an address of a name.
enum class Resolution : std::uint8_t {
  Has,   // the name has its address
  Left,  // not any more, but there are still connections to it
  None,  // it has no address
};
/// The operator's word.
enum class Admin : std::uint8_t { Enabled, Draining, Down };

struct ServerFacts {
  Admin admin = Admin::Enabled;             // writer: the admin port
  TimePoint ejected_until{};                // writer: passive health
  bool says_draining = false;               // writer: the server's own responses (Lb-Drain)
  Probe probe = Probe::Unknown;             // writer: the prober
  Resolution resolution = Resolution::Has;  // writer: what watches the names
  bool is_probed = true;  // writer: the configuration; an unprobed server is trusted until clients suffer
};

/// The first match wins.
constexpr State state_of(const ServerFacts& facts, TimePoint now) {
  if (facts.admin == Admin::Down || facts.resolution == Resolution::None) return State::Down;
  if (facts.admin == Admin::Draining || facts.resolution == Resolution::Left) return State::Draining;
  if (now < facts.ejected_until) return State::Ejected;
  if (facts.probe == Probe::Failing) return State::Unhealthy;
  if (facts.says_draining) return State::Draining;
  if (facts.probe == Probe::Passing || !facts.is_probed) return State::Healthy;
  return State::Unknown;
}

struct Transition {
  std::chrono::system_clock::time_point at;
  State from;
  State to;
  std::string reason;
};

/// The last transitions of a server, oldest first.
class History {
 public:
  static constexpr std::size_t kKept = 64;
  void add(Transition transition);
  const std::vector<Transition>& entries() const { return entries_; }
  std::uint64_t count() const { return count_; }

 private:
  std::vector<Transition> entries_;
  std::uint64_t count_ = 0;
};

}  // namespace holdfast::lb
