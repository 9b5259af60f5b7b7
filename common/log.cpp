#include "common/log.h"

#include "common/escape.h"
#include "common/repeat_limit.h"
#include "common/time_text.h"
#include "common/units.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace holdfast::log {
namespace {

constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 4> kLevels{
    {{"debug", spdlog::level::debug},
     {"info", spdlog::level::info},
     {"warn", spdlog::level::warn},
     {"error", spdlog::level::err}}};

constexpr const char* kTextLine = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr const char* kJsonLine = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";
std::atomic<Format> chosen_format{Format::Text};

spdlog::level::level_enum spdlog_level(Level level) { return kLevels[static_cast<std::size_t>(level)].second; }

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> made = [] {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(kTextLine, spdlog::pattern_time_type::utc));
    auto fresh = std::make_shared<spdlog::logger>("holdfast", std::move(sink));
    fresh->set_level(spdlog::level::info);
    fresh->flush_on(spdlog::level::trace);
    return fresh;
  }();
  return *made;
}

void append_value(std::string& out, std::string_view value) {
  bool is_plain = !value.empty();
  for (const char c : value) is_plain = is_plain && c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
  if (is_plain) {
    out += value;
    return;
  }
  out += '"';
  append_escaped(out, value, "\"\\");
  out += '"';
}

std::string text_of(std::string_view event, std::span<const LogField> fields) {
  std::string out(event);
  for (const LogField& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    append_value(out, field.value);
  }
  return out;
}

/// The members of an object; all values are strings.
std::string json_of(std::string_view event, std::span<const LogField> fields) {
  std::string out = "\"event\":";
  append_json_string(out, event);
  for (const LogField& field : fields) {
    out += ',';
    append_json_string(out, field.key);
    out += ':';
    append_json_string(out, field.value);
  }
  return out;
}

std::mutex listener_mutex;
Listener listener;                      // under it
std::atomic<bool> has_listener{false};  // so that nobody waits where nobody listens

void tell(std::string_view level, std::string_view event, std::span<const LogField> fields) {
  const std::string json = R"({"time":")" + rfc3339(std::chrono::system_clock::now()) + R"(","level":")" +
                           std::string(level) + "\"," + json_of(event, fields) + '}';
  const std::lock_guard lock(listener_mutex);
  if (listener) listener(event, json);
}

void write(Level level, std::string_view event, std::span<const LogField> fields) {
  const std::string_view name = kLevels[static_cast<std::size_t>(level)].first;
  if (level >= Level::Info && has_listener.load(std::memory_order_relaxed)) tell(name, event, fields);
  if (!is_enabled(level)) return;
  std::string line;
  if (chosen_format.load(std::memory_order_relaxed) == Format::Json) {
    line = R"("level":")" + std::string(name) + "\"," + json_of(event, fields);
  } else {
    line = std::string(name) + ' ' + text_of(event, fields);
  }
  logger().log(spdlog_level(level), line);
}

}  // namespace

LogField::LogField(std::string_view field_key, std::chrono::milliseconds duration)
    : key(field_key), value(print_duration(duration)) {}

void set_level(Level level) { logger().set_level(spdlog_level(level)); }

bool set_level(std::string_view name) {
  for (const auto& [known, level] : kLevels) {
    if (known != name) continue;
    logger().set_level(level);
    return true;
  }
  return false;
}

bool is_enabled(Level level) { return logger().should_log(spdlog_level(level)); }

void set_format(Format format) {
  chosen_format.store(format, std::memory_order_relaxed);
  logger().set_formatter(std::make_unique<spdlog::pattern_formatter>(format == Format::Json ? kJsonLine : kTextLine,
                                                                     spdlog::pattern_time_type::utc));
}

void set_listener(Listener told) {
  const std::lock_guard lock(listener_mutex);
  listener = std::move(told);
  has_listener.store(listener != nullptr, std::memory_order_relaxed);
}

std::string format(std::string_view event, Fields fields) { return text_of(event, {fields.begin(), fields.size()}); }

void debug(std::string_view event, Fields fields) { write(Level::Debug, event, {fields.begin(), fields.size()}); }
void info(std::string_view event, Fields fields) { write(Level::Info, event, {fields.begin(), fields.size()}); }
void warn(std::string_view event, Fields fields) { write(Level::Warn, event, {fields.begin(), fields.size()}); }
void error(std::string_view event, Fields fields) { write(Level::Error, event, {fields.begin(), fields.size()}); }

void warn_limited(std::string_view event, std::string_view subject, Fields fields) {
  static std::mutex mutex;
  static RepeatLimit limit;
  if (!is_enabled(Level::Warn)) return;
  RepeatLimit::Verdict verdict;
  {
    const std::lock_guard lock(mutex);
    verdict = limit.judge(event, subject, std::chrono::steady_clock::now());
  }
  if (!verdict.may_pass) return;
  if (verdict.repeated == 0) return warn(event, fields);
  std::vector<LogField> all(fields);
  all.emplace_back("repeated", verdict.repeated);
  write(Level::Warn, event, all);
}

}  // namespace holdfast::log
