// `shortener check`: a configuration against the databases and files that it names.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/config.h"

#include <string>

namespace holdfast::app {

/// A line for each thing that was looked at: what is well, what is wrong with which.
struct CheckReport {
  std::string text;
  bool is_well = true;
};
CheckReport check_dependencies(const Config& config);

}  // namespace holdfast::app
