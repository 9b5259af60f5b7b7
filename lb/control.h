// The control thread: start, signals, health, the admin port, drain, exit.
#pragma once

#include "lb/pool/settings.h"

#include <string>

namespace holdfast::lb {

/// Serves what `settings` say until SIGTERM or SIGINT, and what `file`, from which they were read, says after a SIGHUP.
/// Returns the process's exit code: 0 after an orderly end, 1 where
/// it could not start (said in the log).
int run(Settings settings, std::string file);

}  // namespace holdfast::lb
