// `shortener dlq …`: the clicks that could not be stored for their own sake; what they are, and what becomes of them.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/operate/outcome.h"
#include "app/operate/stores.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

/// Which of them.
struct DeadChoice {
  std::vector<std::string> ids;  // empty: all
  std::string reason;            // begins so; empty: any
  std::int64_t max = 0;          // so many at most, oldest first; 0: all
};

CommandOutcome list_dead(const OperateSettings& settings, const DeadChoice& choice, bool as_json);
CommandOutcome show_dead(const OperateSettings& settings, const std::string& id, bool as_json);

/// Stores each anew by the statement that the worker uses, under its own id: one that was stored meanwhile is not
/// counted again. One that fails again stays, with its new reason. `say` is told how far it is.
CommandOutcome requeue_dead(const OperateSettings& settings, const DeadChoice& choice, bool as_json,
                            const std::function<void(std::string_view line)>& say);

/// As JSON, one a line, into a file that there is not yet; `-` is stdout. Nothing is removed.
CommandOutcome export_dead(const OperateSettings& settings, const DeadChoice& choice, const std::string& file);

/// Without `is_sure` it says what would go.
CommandOutcome drop_dead(const OperateSettings& settings, const DeadChoice& choice, bool is_sure);

}  // namespace holdfast::app
