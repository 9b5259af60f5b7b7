// `shortener serve`: puts the rooms together on one loop, and ends in order.
#pragma once

#include "app/config.h"

namespace holdfast::app {

/// Serves until SIGTERM or SIGINT; returns the process' exit code. Thread: main.
int serve(const Config& config, const std::string& file);

}  // namespace holdfast::app
