// `shortener maintain`: upkeep of the tables. Tables for the months to come are made; what is older than it is kept for
// goes. Each piece is short, so that nobody waits for it; it may be run at any time, and from several machines.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/operate/outcome.h"
#include "app/operate/stores.h"

#include <functional>
#include <string_view>

namespace holdfast::app {

/// `say` is told each thing that was done; with `is_trial` each that would be, and nothing is.
CommandOutcome maintain(const OperateSettings& settings, bool is_trial,
                        const std::function<void(std::string_view line)>& say);

}  // namespace holdfast::app
