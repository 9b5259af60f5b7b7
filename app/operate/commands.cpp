#include "app/operate/commands.h"

#include "app/operate/dead_letters.h"
#include "app/operate/maintain.h"
#include "app/operate/queue.h"
#include "common/units.h"

#include <cstdio>

namespace holdfast::app {
namespace {

OperateSettings settings_of(const Config& config) {
  return {.primary = config.primary,
          .redis = config.redis_url,
          .stream = config.clicks.stream,
          .retention = config.maintain.retention};
}

int end(const char* command, const CommandOutcome& outcome) {
  std::fputs(outcome.out.c_str(), stdout);
  if (!outcome.wrong.empty()) std::fprintf(stderr, "%s: %s\n", command, outcome.wrong.c_str());
  return static_cast<int>(outcome.ended);
}

void say_progress(std::string_view line) { std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data()); }

void say_done(std::string_view line) {
  std::printf("maintain: %.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(stdout);
}

CommandOutcome wrong_duration(const char* option, const std::string& text) {
  return not_tried(std::string(option) + ": '" + text + "' is no duration; allowed: 500ms, 30s, 5m");
}

}  // namespace

OperateCommands::OperateCommands(CLI::App& app, std::string& file) {
  add_dlq(app, file);
  add_queue(app, file);
  add_maintain(app, file);
}

CLI::App* OperateCommands::add(CLI::App& parent, const char* name, const char* help, std::string& file) {
  CLI::App* made = parent.add_subcommand(name, help);
  made->add_option("--config,-c", file, "Configuration file (YAML)");
  return made;
}

void OperateCommands::add_dlq(CLI::App& app, std::string& file) {
  Dlq& dlq = dlq_;
  dlq.all = app.add_subcommand("dlq", "Dead letters: clicks that could not be stored for their own sake");
  dlq.all->require_subcommand(1);
  dlq.all->footer("Ends with 0 where all was done, 1 where not all of it, 2 where nothing was tried.");
  dlq.list = add(*dlq.all, "list", "Show them, the oldest first", file);
  dlq.list->add_option("--limit", dlq.limit, "So many at most")->check(CLI::Range(1, 100'000))->capture_default_str();
  dlq.show = add(*dlq.all, "show", "Show all of one", file);
  dlq.show->add_option("ID", dlq.id, "Which")->required();
  dlq.requeue = add(*dlq.all, "requeue", "Store them again; what was stored before is not counted again", file);
  dlq.exports = add(*dlq.all, "export", "Write them to a new file as JSON, one a line; they stay", file);
  dlq.exports->add_option("FILE", dlq.file, "A file that there is not yet; - for stdout")->required();
  dlq.drop = add(*dlq.all, "drop", "Remove them for good; without --yes say what would go", file);
  dlq.drop->add_flag("--yes", dlq.is_sure, "Really");
  for (CLI::App* each : {dlq.requeue, dlq.drop}) {
    each->add_option("ID", dlq.ids, "Which");
    each->add_flag("--all", dlq.takes_all, "All, or all that --reason leaves");
  }
  for (CLI::App* each : {dlq.requeue, dlq.exports, dlq.drop}) {
    each->add_option("--max", dlq.max, "So many at most, the oldest first")->check(CLI::PositiveNumber);
  }
  for (CLI::App* each : {dlq.list, dlq.requeue, dlq.exports, dlq.drop}) {
    each->add_option("--reason", dlq.reason, "Those whose reason begins so");
  }
  for (CLI::App* each : {dlq.list, dlq.show, dlq.requeue}) each->add_flag("--json", dlq.as_json, "Print JSON");
}

void OperateCommands::add_queue(CLI::App& app, std::string& file) {
  Queue& queue = queue_;
  queue.all = app.add_subcommand("queue", "The queue of clicks: how it is, what waits in it, stop and go");
  queue.all->require_subcommand(1);
  queue.all->footer("Ends with 0 where all is well, 1 where somebody should look, 2 where a store is away.");
  queue.status = add(*queue.all, "status", "What waits, since when, how fast it drains, and who is behind", file);
  queue.status->add_option("--interval", queue.interval, "Between the two looks that give the rates")
      ->capture_default_str();
  queue.peek = add(*queue.all, "peek", "Show the next clicks of the stream; they stay there", file);
  queue.peek->add_option("--count", queue.count, "So many")->check(CLI::Range(1, 10'000))->capture_default_str();
  queue.pause = add(*queue.all, "pause", "Store nothing from now on; clicks wait, redirects go on", file);
  queue.pause->add_option("--why", queue.why, "Shown to who asks for the status");
  queue.resume = add(*queue.all, "resume", "Store again", file);
  queue.drain = add(*queue.all, "drain", "Wait until all clicks made before now are stored", file);
  queue.drain->add_flag("--until-empty", queue.until_empty, "Wait until none waits at all");
  queue.drain->add_option("--timeout", queue.timeout, "Give up after")->capture_default_str();
  for (CLI::App* each : {queue.status, queue.peek}) each->add_flag("--json", queue.as_json, "Print JSON");
}

void OperateCommands::add_maintain(CLI::App& app, std::string& file) {
  maintain_.all =
      add(app, "maintain", "Upkeep: make tables of months to come, remove what is older than it is kept for; each hour",
          file);
  maintain_.all->add_flag("--dry-run", maintain_.is_trial, "Say what would be done");
}

bool OperateCommands::is_meant() const { return dlq_.all->parsed() || queue_.all->parsed() || maintain_.all->parsed(); }

int OperateCommands::run(const Config& config) const {
  const OperateSettings settings = settings_of(config);
  if (maintain_.all->parsed()) return end("maintain", maintain(settings, maintain_.is_trial, say_done));
  if (queue_.all->parsed()) {
    if (queue_.status->parsed()) {
      const auto interval = parse_duration(queue_.interval);
      if (!interval) return end("queue", wrong_duration("--interval", queue_.interval));
      return end("queue", queue_status(settings, *interval, queue_.as_json));
    }
    if (queue_.peek->parsed()) return end("queue", queue_peek(settings, queue_.count, queue_.as_json));
    if (queue_.pause->parsed()) return end("queue", queue_pause(settings, queue_.why));
    if (queue_.resume->parsed()) return end("queue", queue_resume(settings));
    const auto timeout = parse_duration(queue_.timeout);
    if (!timeout) return end("queue", wrong_duration("--timeout", queue_.timeout));
    return end("queue", queue_drain(settings, {.until_empty = queue_.until_empty, .timeout = *timeout}, say_progress));
  }
  DeadChoice choice{.ids = dlq_.ids, .reason = dlq_.reason, .max = dlq_.max};
  if (dlq_.list->parsed()) {
    choice.max = dlq_.limit;
    return end("dlq", list_dead(settings, choice, dlq_.as_json));
  }
  if (dlq_.show->parsed()) return end("dlq", show_dead(settings, dlq_.id, dlq_.as_json));
  if (dlq_.exports->parsed()) return end("dlq", export_dead(settings, choice, dlq_.file));
  if (choice.ids.empty() != dlq_.takes_all) return end("dlq", not_tried("name the ids, or --all"));
  if (dlq_.drop->parsed()) return end("dlq", drop_dead(settings, choice, dlq_.is_sure));
  return end("dlq", requeue_dead(settings, choice, dlq_.as_json, say_progress));
}

}  // namespace holdfast::app
