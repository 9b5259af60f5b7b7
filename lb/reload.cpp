#include "lb/reload.h"

#include "common/log.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

namespace holdfast::lb {

using Fields = log::Fields;

Reload::Reload(Loop& loop, TimeoutClass& timeouts, std::string file, Settings running, Apply apply)
    : file_(std::move(file)),
      running_(std::move(running)),
      apply_(std::move(apply)),
      inquiry_(loop, timeouts),
      inbox_(std::make_unique<Mailbox>(loop)) {}

bool Reload::start(bool is_dry, Done done) {
  if (inbox_ == nullptr || wanted_.size() >= kWantedMax) return false;
  wanted_.push_back({is_dry, std::move(done)});
  if (wanted_.size() == 1) read_next();
  return true;
}

void Reload::end() {
  inbox_.reset();
  inquiry_.cancel();
  reader_ = {};
  while (!wanted_.empty()) finish({"lb is shutting down; the configuration was not reloaded"});
}

void Reload::read_next() {
  const auto read = [this, file = file_, inbox = inbox_->sender()](const std::stop_token& stop) {
    LoadedConfig loaded;
    try {
      loaded = load_config(file, [&stop](const std::string& name) { return resolve_unless_stopped(name, stop); });
    } catch (const std::exception& problem) {
      loaded.errors = {file + ": " + problem.what()};
    }
    inbox.post([this, loaded = std::move(loaded)]() mutable { on_read(std::move(loaded)); });
  };
  try {
    reader_ = std::jthread(read);
  } catch (const std::system_error& problem) {
    LoadedConfig loaded;
    loaded.errors = {file_ + ": no thread could be started to read it (" + problem.what() + "); try again"};
    inbox_->post([this, loaded = std::move(loaded)]() mutable { on_read(std::move(loaded)); });
  }
}

void Reload::on_read(LoadedConfig loaded) {
  changes_.clear();
  warnings_ = std::move(loaded.warnings);
  if (!loaded.errors.empty()) return finish(std::move(loaded.errors));
  next_ = std::move(loaded.settings);
  changes_ = config_changes(running_, next_);
  std::vector<std::string> errors;
  for (const ConfigChange& change : changes_) {
    if (!is_fixed(change)) continue;
    errors.push_back(file_ + ": " + change.key + ": a running lb keeps this (" + change.before +
                     "); restart it, or take the change back");
  }
  if (!errors.empty() || wanted_.front().is_dry) return finish(std::move(errors));
  std::vector<std::shared_ptr<ServerPool>> to_ask;
  for (const PoolSettings& pool : next_.pools) {
    const std::string prefix = "pools." + pool.name + ".";
    const bool has_changed = std::any_of(changes_.begin(), changes_.end(), [&prefix](const ConfigChange& change) {
      return change.key.starts_with(prefix);
    });
    if (has_changed && wants_key_inquiry(pool)) to_ask.push_back(std::make_shared<ServerPool>(pool, 1));
  }
  inquiry_.start(std::move(to_ask), [this](const auto& objection) { on_asked(objection); });
}

void Reload::on_asked(const std::optional<std::string>& objection) {
  if (objection) return finish({*objection});
  const auto applied = apply_(next_);
  if (!applied) return finish({std::string(applied.error().why)});
  running_ = std::move(next_);
  finish({});
}

void Reload::finish(std::vector<std::string> errors) {
  const Wanted wanted = std::move(wanted_.front());
  wanted_.pop_front();
  const ReloadOutcome outcome{std::move(errors), std::move(changes_), std::move(warnings_)};
  if (!wanted.is_dry) {
    was_last_well_ = outcome.is_well();
    ++(outcome.is_well() ? succeeded_ : failed_);
    if (outcome.is_well()) since_ = std::chrono::system_clock::now();
    for (const std::string& error : outcome.errors) {
      log::error("not reloaded", Fields{{"why", error}, {"now", "the configuration that was in force still is"}});
    }
    for (const ConfigChange& change : outcome.changes) {
      if (!outcome.is_well()) break;
      log::info("changed", Fields{{"key", change.key}, {"from", change.before}, {"to", change.after}});
    }
    for (const std::string& warning : outcome.warnings) log::warn("configuration", Fields{{"what", warning}});
    if (outcome.is_well()) log::info("reloaded", Fields{{"file", file_}, {"changes", outcome.changes.size()}});
  }
  wanted.done(outcome);
  if (!wanted_.empty() && inbox_ != nullptr) read_next();
}

}  // namespace holdfast::lb
