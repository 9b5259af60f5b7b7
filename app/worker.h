// `shortener worker`: stores clicks, as many of them at once as one likes; and an admin port that says how it goes.
#pragma once

#include "app/config.h"

namespace holdfast::app {

/// Works until SIGTERM or SIGINT; returns the process' exit code. Thread: main.
int work(const Config& config);

}  // namespace holdfast::app
