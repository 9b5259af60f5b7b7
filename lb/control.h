// The control thread: start, signals, health, the admin port, drain, exit.
#pragma once

#include "lb/pool/settings.h"

#include <string>
#include <vector>

namespace holdfast::lb {

/// Serves what `settings` say until SIGTERM or SIGINT, and what `file`, from which they were read, says after a SIGHUP.
/// SIGUSR2 starts `command` (the
/// binary's path and its arguments) anew, gives it what listens here, and drains once it serves. Returns the process's
/// exit code: 0 after an orderly end, 1 where it could not start (said in the log).
int run(Settings settings, std::string file, std::vector<std::string> command);

}  // namespace holdfast::lb
