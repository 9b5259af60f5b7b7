// hiredis on a uv loop: our own adapter. What is asked in one turn goes out with one write at its end, and a failed
// poll is told to hiredis as an event, not dropped.
// Thread: the loop's.
#pragma once

#include "common/loop/loop.h"

#include <hiredis/async.h>

namespace holdfast::app {

/// Lets `loop` drive `context`; from here on hiredis frees what belongs to it. False where the loop cannot watch it.
bool attach_events(Loop& loop, redisAsyncContext& context);

}  // namespace holdfast::app
