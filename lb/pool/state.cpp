#include "lb/pool/state.h"

#include <utility>

namespace holdfast::lb {

std::string_view state_name(State state) {
  switch (state) {
    case State::Unknown:
      return "unknown";
    case State::Healthy:
      return "healthy";
    case State::Unhealthy:
      return "unhealthy";
    case State::Ejected:
      return "ejected";
    case State::Draining:
      return "draining";
    case State::Down:
      return "down";
  }
  return "";
}

void History::add(Transition transition) {
  ++count_;
  if (entries_.size() == kKept) entries_.erase(entries_.begin());
  entries_.push_back(std::move(transition));
}

}  // namespace holdfast::lb
