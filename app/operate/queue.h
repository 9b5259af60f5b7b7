// `shortener queue …`: how the queue of clicks is, what stands in it, and whether it is let run.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/operate/outcome.h"
#include "app/operate/stores.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace holdfast::app {

/// Ends Partly where somebody should look. Looks twice, `interval` apart, for the rates.
CommandOutcome queue_status(const OperateSettings& settings, std::chrono::milliseconds interval, bool as_json);

/// The next clicks of the stream; they stay there.
CommandOutcome queue_peek(const OperateSettings& settings, int count, bool as_json);

CommandOutcome queue_pause(const OperateSettings& settings, const std::string& why);
CommandOutcome queue_resume(const OperateSettings& settings);

/// Waits until all clicks that were made before it began are stored, or, with `until_empty`, until none waits. `say` is
/// told how far it is.
struct DrainWish {
  bool until_empty = false;
  std::chrono::milliseconds timeout{0};
};
CommandOutcome queue_drain(const OperateSettings& settings, const DrainWish& wish,
                           const std::function<void(std::string_view line)>& say);

}  // namespace holdfast::app
