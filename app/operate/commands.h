// The operator's part of the command line: dlq, queue, maintain.
// Thread: any.
#pragma once

#include "app/config.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace holdfast::app {

class OperateCommands {
 public:
  /// Adds them to `app`; `file` is where each takes the configuration's name to.
  OperateCommands(CLI::App& app, std::string& file);

  /// One of these was named, whatever else is right or wrong with the line.
  bool is_meant() const;
  /// Runs the one that was named; what the shell is told.
  int run(const Config& config) const;

 private:
  void add_dlq(CLI::App& app, std::string& file);
  void add_queue(CLI::App& app, std::string& file);
  void add_maintain(CLI::App& app, std::string& file);
  /// A subcommand of `parent` that is done by `work`.
  CLI::App* add(CLI::App& parent, const char* name, const char* help, std::string& file);

  struct Dlq {
    CLI::App* all = nullptr;
    CLI::App* list = nullptr;
    CLI::App* show = nullptr;
    CLI::App* requeue = nullptr;
    CLI::App* exports = nullptr;
    CLI::App* drop = nullptr;
    std::vector<std::string> ids;
    std::string id;
    std::string file;
    std::string reason;
    std::int64_t limit = 50;
    std::int64_t max = 0;
    bool takes_all = false;
    bool is_sure = false;
    bool as_json = false;
  } dlq_;
  struct Queue {
    CLI::App* all = nullptr;
    CLI::App* status = nullptr;
    CLI::App* peek = nullptr;
    CLI::App* pause = nullptr;
    CLI::App* resume = nullptr;
    CLI::App* drain = nullptr;
    std::string interval = "2s";
    std::string timeout = "5m";
    std::string why;
    int count = 10;
    bool until_empty = false;
    bool as_json = false;
  } queue_;
  struct Maintain {
    CLI::App* all = nullptr;
    bool is_trial = false;
  } maintain_;
};

}  // namespace holdfast::app
