// The shortener's command line.
#include "app/check.h"
#include "app/config.h"
#include "app/keys/manage.h"
#include "app/operate/commands.h"
#include "app/operate/outcome.h"
#include "app/serve.h"
#include "app/store/migrate.h"
#include "app/worker.h"
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
  holdfast::log::set_format(loaded.config.log_format);
  return holdfast::app::serve(loaded.config, file);
}

int work(const std::string& file) {
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  holdfast::log::set_level(loaded.config.log_level);
  holdfast::log::set_format(loaded.config.log_format);
  return holdfast::app::work(loaded.config);
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

int print(const holdfast::app::KeysOutput& done) {
  std::fputs(done.out.c_str(), stdout);
  if (!done.wrong.empty()) std::fprintf(stderr, "keys: %s\n", done.wrong.c_str());
  return done.wrong.empty() ? 0 : 1;
}

/// What follows `shortener keys`.
struct KeysCommand {
  explicit KeysCommand(CLI::App& app, std::string& file)
      : all(app.add_subcommand("keys", "API keys: make, list, revoke; every instance knows within a second")),
        create(all->add_subcommand("create", "Make a key and print it: it is shown this once")),
        list(all->add_subcommand("list", "Show all keys, without their secrets")),
        revoke(all->add_subcommand("revoke", "From now on refuse a key")) {
    all->require_subcommand(1);
    for (CLI::App* each : {create, list, revoke}) each->add_option("--config,-c", file, "Configuration file (YAML)");
    create->add_option("--name", name, "Who it is for")->required();
    create->add_option("--scopes", scopes, "Of read, write and admin (everybody's links), with commas between them")
        ->capture_default_str();
    create->add_option("--expires", expires, "A duration from now such as 90d, or a time: 2027-01-31T00:00:00Z");
    for (CLI::App* each : {create, list}) each->add_flag("--json", as_json, "Print JSON");
    revoke->add_option("ID", id, "The key's id, or the key itself")->required();
  }

  int run(const std::string& file) const {
    LoadedConfig loaded;
    if (!load(file, loaded)) return 1;
    if (list->parsed()) return print(holdfast::app::list_keys(loaded.config.primary, as_json));
    if (revoke->parsed()) return print(holdfast::app::revoke_key(loaded.config.primary, id));
    const auto wanted = holdfast::app::parse_scopes(scopes);
    if (!wanted) return print({.out = {}, .wrong = "--scopes: '" + scopes + "'; allowed: read, write, admin"});
    return print(holdfast::app::create_key(loaded.config.primary, {.name = name, .scopes = *wanted, .expires = expires},
                                           as_json));
  }

  CLI::App* all;
  CLI::App* create;
  CLI::App* list;
  CLI::App* revoke;
  std::string name;
  std::string scopes = "read,write";
  std::string expires;
  std::string id;
  bool as_json = false;
};

constexpr int kNotTried = static_cast<int>(holdfast::app::Ended::NotTried);

int run(const holdfast::app::OperateCommands& operate, const std::string& file) {
  LoadedConfig loaded;
  return load(file, loaded) ? operate.run(loaded.config) : kNotTried;
}

int check(const std::string& file, bool dumps, bool is_offline) {
  LoadedConfig loaded;
  if (!load(file, loaded)) return 1;
  if (dumps) return std::fputs(dump_config(loaded.config).c_str(), stdout), 0;
  std::printf("ok    %s: well\n", file.empty() ? "environment" : file.c_str());
  if (is_offline) return 0;
  const holdfast::app::CheckReport report = holdfast::app::check_dependencies(loaded.config);
  std::fputs(report.text.c_str(), stdout);
  return report.is_well ? 0 : 1;
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

    auto* worker_command = app.add_subcommand(
        "worker", "Store clicks until SIGTERM or SIGINT: from Redis to the database; as many of it as you like");
    worker_command->add_option("--config,-c", file, "Configuration file (YAML)");

    std::string wait = "30s";
    auto* migrate_command = app.add_subcommand("migrate", "Bring the database's schema up to date; may be run anytime");
    migrate_command->add_option("--config,-c", file, "Configuration file (YAML)");
    migrate_command
        ->add_option("--wait", wait, "How long to wait for the database, and for another instance that migrates")
        ->capture_default_str();

    bool dumps = false;
    bool is_offline = false;
    auto* check_command = app.add_subcommand(
        "check", "Try a configuration against its databases, Redis and files: what is wrong with which; exit 0 or 1");
    check_command->add_option("FILE", file, "Configuration file (YAML); left out: the environment alone");
    check_command->add_flag("--offline", is_offline, "Judge the file alone");
    check_command->add_flag("--dump-config", dumps, "Print what would be in force, defaults and all");

    const KeysCommand keys(app, file);

    const holdfast::app::OperateCommands operate(app, file);

    auto* reference_command =
        app.add_subcommand("reference", "Print the reference of every configuration key (Markdown)");

    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      if (app.exit(problem) == 0) return 0;
      return operate.is_meant() ? kNotTried : 1;
    }
    if (serve_command->parsed()) return serve(file);
    if (worker_command->parsed()) return work(file);
    if (migrate_command->parsed()) return migrate(file, wait);
    if (check_command->parsed()) return check(file, dumps, is_offline);
    if (keys.all->parsed()) return keys.run(file);
    if (operate.is_meant()) return run(operate, file);
    if (reference_command->parsed()) std::fputs(holdfast::app::config_reference().c_str(), stdout);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "shortener: %s\n", problem.what());
    return 1;
  }
}
