// `shortener migrate`: the numbered SQL files onto a database, each once and whole, safely from several instances.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/store/dsn.h"
#include "app/store/migrations.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct MigrateOptions {
  std::chrono::milliseconds wait{30'000};  // for the database, and for another instance that migrates
  std::function<void(std::string_view line)> say;
};

/// Returns what went wrong, or nothing.
std::string migrate(const PostgresDsn& dsn, const std::vector<Migration>& files, const MigrateOptions& options);

}  // namespace holdfast::app
