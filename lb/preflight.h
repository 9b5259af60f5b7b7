// What `lb run` needs of this machine beside a valid file: descriptors, the access log, addresses to listen on.
// Thread: control.
#pragma once

#include "lb/pool/settings.h"

#include <string>
#include <vector>

namespace holdfast::lb {

enum class PortCheck { Skip, Check };

/// Returns everything for which `lb run` would refuse `settings` on this machine, one line each, with the key and what
/// to do. Whether a port is free and permitted is checked only on request: an lb that serves already may use it.
/// Changes nothing on the machine, and judges with the permissions of this process.
std::vector<std::string> preflight_errors(const Settings& settings, PortCheck ports);

}  // namespace holdfast::lb
