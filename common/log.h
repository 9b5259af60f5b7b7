// Logs: a line is an event and its fields, `2026-11-24T11:46:41.123Z warn upstream state server=127.0.0.1:3001 …`,
// on stderr. Values are quoted and escaped where they need it, so that a peer's bytes never make a line of their own.
// Thread: any.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace holdfast::log {

enum class Level { Debug, Info, Warn, Error };

/// How a line is written: as above, or as one JSON object, `{"time":"…","level":"warn","event":"…","server":"…"}`.
enum class Format { Text, Json };

/// One key and its value, made into text at once.
struct LogField {
  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const std::string& text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const char* text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, bool flag) : key(field_key), value(flag ? "true" : "false") {}
  template <std::integral Number>
  LogField(std::string_view field_key, Number number) : key(field_key), value(std::to_string(number)) {}
  LogField(std::string_view field_key, std::chrono::milliseconds duration);

  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<LogField>;

/// What is under `level` is not written. Thread: any.
void set_level(Level level);
/// Reads "debug", "info", "warn" or "error"; false where it is none of them.
bool set_level(std::string_view name);
bool is_enabled(Level level);
void set_format(Format format);

void debug(std::string_view event, Fields fields = {});  // per connection
void info(std::string_view event, Fields fields = {});   // state changes, start, reload, drain
void warn(std::string_view event, Fields fields = {});   // should look
void error(std::string_view event, Fields fields = {});  // someone must act

/// As warn(), but of one event and `subject` at most one line a second; the next one says `repeated=N`.
void warn_limited(std::string_view event, std::string_view subject, Fields fields = {});

/// Who is told of every event from info up too, whatever set_level() says: its name, and all of it as one JSON object.
using Listener = std::function<void(std::string_view event, std::string_view json)>;
/// One at a time; null: nobody any more, also not one that is being called. It is called by whoever logs, must be
/// quick, and must not log. Thread: any.
void set_listener(Listener listener);

/// The line without time and level, for tests and other places that speak in events.
std::string format(std::string_view event, Fields fields);

}  // namespace holdfast::log
