#include "app/store/dependency.h"

#include "common/log.h"

namespace holdfast::app {

void Dependency::set(bool is_up, std::string_view why) {
  const bool changed = !was_told_ || is_up != is_up_;
  if (!is_up) why_ = why;
  if (!changed) return;
  was_told_ = true;
  is_up_ = is_up;
  since_ = Clock::now();
  if (is_up) {
    why_.clear();
    log::info("dependency up", {{"dependency", name_}});
  } else {
    log::warn("dependency down", {{"dependency", name_}, {"why", why_}});
  }
}

}  // namespace holdfast::app
