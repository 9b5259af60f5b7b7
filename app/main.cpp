// The shortener's command line.
#include "app/config.h"
#include "app/serve.h"
#include "app/store/migrate.h"
#include "common/log.h"
#include "common/units.h"
#include "common/version.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

namespace {

using holdfast::app::LoadedConfig;

/// Loads `file` and the environment; where something is wrong, says everything that is.
bool load(const std::string& file, LoadedConfig& loaded) {
  loaded = holdfast::app::load_config(file);
  for (const std::string& error : loaded.errors) std::fprintf(stderr, "%s\n", error.c_str());
  return loaded.errors.empty();
}

int serve(const std::string& file) {
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  holdfast::log::set_level(loaded.config.log_level);
  return holdfast::app::serve(loaded.config);
}

int migrate(const std::string& file, const std::string& wait) {
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  const auto limit = holdfast::parse_duration(wait);
  if (!limit) {
    std::fprintf(stderr, "--wait: '%s' is no duration; allowed: 30s, 500ms, 2m\n", wait.c_str());
    return 1;
  }
  const std::string wrong =
      holdfast::app::migrate(loaded.config.primary, holdfast::app::migrations(),
                             {.wait = *limit, .say = [](std::string_view line) {
                                std::printf("migrate: %.*s\n", static_cast<int>(line.size()), line.data());
                                std::fflush(stdout);
                              }});
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "migrate: %s\n", wrong.c_str());
  return 1;
}

int check(const std::string& file, bool dumps) {
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  const std::string text = dumps ? dump_config(loaded.config) : file + ": well\n";
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"shortener, a URL shortener that is run as several instances behind a load balancer."};
    app.set_version_flag("--version",
                         std::string("shortener ") + holdfast::kVersion + " (" + holdfast::kRevision + ")");
    app.require_subcommand(1);
    app.footer(
        "The least it needs is DATABASE_URL=postgres://user:password@host:5432/name; every key of its file is an\n"
        "environment variable too. Run migrate before the first serve. SIGTERM ends it in order, a second at once.");

    std::string file;
    auto* serve_command = app.add_subcommand("serve", "Serve until SIGTERM or SIGINT");
    serve_command->add_option("--config,-c", file, "Configuration file (YAML)");

    std::string wait = "30s";
    auto* migrate_command = app.add_subcommand("migrate", "Bring the database's schema up to date; may be run anytime");
    migrate_command->add_option("--config,-c", file, "Configuration file (YAML)");
    migrate_command
        ->add_option("--wait", wait, "How long to wait for the database, and for another instance that migrates")
        ->capture_default_str();

    bool dumps = false;
    auto* check_command =
        app.add_subcommand("check", "Read a configuration and say what is wrong with it; exit 0 or 1");
    check_command->add_option("FILE", file, "Configuration file (YAML)")->required();
    check_command->add_flag("--dump-config", dumps, "Print what would be in force, defaults and all");

    auto* reference_command =
        app.add_subcommand("reference", "Print the reference of every configuration key (Markdown)");

    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      return app.exit(problem) == 0 ? 0 : 1;
    }
    if (serve_command->parsed()) return serve(file);
    if (migrate_command->parsed()) return migrate(file, wait);
    if (check_command->parsed()) return check(file, dumps);
    if (reference_command->parsed()) std::fputs(holdfast::app::config_reference().c_str(), stdout);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "shortener: %s\n", problem.what());
    return 1;
  }
}
