// How a command of the operator ended: what it printed, what went wrong, what the shell is told.
// Thread: any.
#pragma once

#include <string>
#include <utility>

namespace holdfast::app {

/// Done or well; not all of it, or somebody should look; not even tried: the words were wrong, or a store is away.
enum class Ended : int { Well = 0, Partly = 1, NotTried = 2 };

struct CommandOutcome {
  std::string out;    // for stdout
  std::string wrong;  // for stderr; empty where nothing is
  Ended ended = Ended::Well;
};

inline CommandOutcome not_tried(std::string why) {
  return {.out = {}, .wrong = std::move(why), .ended = Ended::NotTried};
}
inline CommandOutcome partly(std::string why, std::string out = {}) {
  return {.out = std::move(out), .wrong = std::move(why), .ended = Ended::Partly};
}

}  // namespace holdfast::app
