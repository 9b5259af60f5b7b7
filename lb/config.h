// lb's configuration file, read whole: every key is described in lb/config/.
// Thread: control.
#pragma once

#include "common/config/changes.h"
#include "common/net/resolver.h"
#include "lb/pool/settings.h"

#include <functional>
#include <string>
#include <vector>

namespace holdfast::lb {

struct LoadedConfig {
  Settings settings;
  std::vector<std::string> errors;    // each with file, line, column and key; empty where all is well
  std::vector<std::string> warnings;  // likewise, of what it can be served with
};

/// Finds the addresses of `host:port`.
using Resolve = std::function<Addresses(const std::string& name)>;

/// Reads `file` whole, and resolves the names of servers.
LoadedConfig load_config(const std::string& file, const Resolve& resolve = resolve_now);
/// As load_config(), from text; `name` stands for the file in errors.
LoadedConfig load_config_text(const std::string& name, const std::string& text);

/// What is in force, defaults and all, as YAML that load_config() takes.
std::string dump_config(Settings& settings);
/// What `after` says otherwise.
std::vector<ConfigChange> config_changes(Settings& before, Settings& after);
/// A running process has it until its end: where it listens, its threads, its bounds, its access log.
bool is_fixed(const ConfigChange& change);
/// docs/config.md.
std::string config_reference();

}  // namespace holdfast::lb
