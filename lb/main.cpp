// lb's command line.
#include "common/escape.h"
#include "common/log.h"
#include "common/net/inherited.h"
#include "common/version.h"
#include "lb/config.h"
#include "lb/control.h"
#include "lb/preflight.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using holdfast::lb::LoadedConfig;

/// Loads `file`; where it is wrong, says everything that is.
bool load(const std::string& file, LoadedConfig& loaded) {
  loaded = holdfast::lb::load_config(file);
  for (const std::string& error : loaded.errors) std::fprintf(stderr, "%s\n", error.c_str());
  for (const std::string& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return loaded.errors.empty();
}

/// Where the binary is, or a newer one by then.
std::string path_of_this() {
  std::error_code problem;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", problem);
  return problem ? std::string("lb") : path.string();
}

int run(const std::string& file) {
  holdfast::adopt_inherited_sockets();
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  holdfast::log::set_level(loaded.settings.log_level);
  return holdfast::lb::run(std::move(loaded.settings), file, {path_of_this(), "run", "--config", file});
}

int check(const std::string& file, bool dumps, bool checks_ports) {
  using holdfast::lb::PortCheck;
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  const auto errors = preflight_errors(loaded.settings, checks_ports ? PortCheck::Check : PortCheck::Skip);
  for (const std::string& error : errors) std::fprintf(stderr, "%s: %s\n", file.c_str(), error.c_str());
  if (!errors.empty()) return 1;
  const std::string text = dumps ? dump_config(loaded.settings) : file + ": well\n";
  std::fputs(text.c_str(), stdout);
  return 0;
}

/// What to run instead of a command that does not exist.
const char* advice_for(std::string_view command) {
  struct Advice {
    std::string_view command;
    const char* text;
  };
  constexpr Advice kAdvice[] = {
      {"start", "write: lb run FILE"},
      {"serve", "write: lb run FILE"},
      {"reverse-proxy", "write: lb run FILE"},
      {"validate", "write: lb check FILE"},
      {"test", "write: lb check FILE"},
      {"adapt", "write: lb check FILE --dump-config"},
      {"reload", "send SIGHUP to the running lb"},
      {"upgrade", "send SIGUSR2 to the running lb"},
      {"stop", "send SIGTERM to the running lb"},
      {"version", "write: lb --version"},
      {"help", "write: lb --help"},
  };
  for (const Advice& one : kAdvice) {
    if (one.command == command) return one.text;
  }
  const bool is_file = command.ends_with(".yaml") || command.ends_with(".yml");
  return is_file ? "to serve a file, write: lb run FILE" : "the commands are run, check and reference";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{
        "lb, an HTTP load balancer that drops nothing: a request that may be repeated (idempotent, or with an "
        "Idempotency-Key) gets one response as long as any server can respond before the deadline."};
    app.set_version_flag("--version", std::string("lb ") + holdfast::kVersion + " (" + holdfast::kRevision + ")");
    app.require_subcommand(1);
    app.footer(
        "The smallest configuration:\n  listen: 127.0.0.1:8080\n  upstreams: [127.0.0.1:3001, 127.0.0.1:3002]\n\n"
        "SIGHUP reloads the configuration; a file with errors changes nothing. SIGUSR2 upgrades: the installed binary "
        "takes over the listening sockets, and this process drains. SIGTERM drains and exits with 0; a second SIGINT "
        "exits at once. SIGUSR1 reopens the access log. All keys: docs/config.md.");

    std::string file;
    auto* run_command = app.add_subcommand("run", "Serve until SIGTERM or SIGINT");
    run_command->add_option("FILE,--config,-c", file, "Configuration file (YAML)")->required();

    bool dumps = false;
    bool checks_ports = false;
    auto* check_command =
        app.add_subcommand("check", "Report everything for which run would refuse a configuration; exit 0 or 1");
    check_command->add_option("FILE", file, "Configuration file (YAML)")->required();
    check_command->add_flag("--dump-config", dumps, "Print what would be in force, defaults and all");

    check_command->add_flag("--ports", checks_ports, "Check also that the ports are free and permitted");

    auto* reference_command =
        app.add_subcommand("reference", "Print the reference of every configuration key (Markdown)");

    const auto is_named = [argv](const CLI::App* command) { return command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
      std::fprintf(stderr, "lb: unknown command '%s'; %s\n", holdfast::escaped(argv[1], 100).c_str(),
                   advice_for(argv[1]));
      return 1;
    }
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      return app.exit(problem) == 0 ? 0 : 1;
    }
    if (run_command->parsed()) return run(file);
    if (check_command->parsed()) return check(file, dumps, checks_ports);
    if (reference_command->parsed()) std::fputs(holdfast::lb::config_reference().c_str(), stdout);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "lb: %s\n", problem.what());
    return 1;
  }
}
