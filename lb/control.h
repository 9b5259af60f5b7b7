// The control thread: start, signals, health, the admin port, drain, exit.
#pragma once

#include "lb/pool/settings.h"

namespace holdfast::lb {

/// Serves what `settings` say until SIGTERM or SIGINT. Returns the process's exit code: 0 after an orderly end, 1 where
/// it could not start (said in the log).
int run(Settings settings);

}  // namespace holdfast::lb
