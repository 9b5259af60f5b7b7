#include "app/operate/queue.h"

#include "app/clicks/batch.h"
#include "app/operate/queue_state.h"
#include "app/operate/table.h"
#include "common/escape.h"
#include "common/json.h"
#include "common/time_text.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace holdfast::app {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "shortener queue";
constexpr double kLateSeconds = 30;  // as the alert QueueBackedUp has it

std::string line_of(const Json& json) { return json_text(json) + "\n"; }

double rounded(double number) { return std::round(number * 10) / 10; }

Json rounded_or_null(const std::optional<double>& number) { return number ? Json(rounded(*number)) : Json(nullptr); }

/// All that was seen; a store that could not be asked is told in `missing`.
struct Seen {
  std::optional<StoredState> stored;
  std::optional<StreamState> stream;
  std::optional<Rates> rates;
  std::vector<std::string> missing;
};

Seen look(const OperateSettings& settings, std::chrono::milliseconds interval) {
  Seen seen;
  if (auto redis = open_redis(settings); !redis) {
    seen.missing.push_back(redis.error());
  } else if (auto stream = read_stream_state(*redis, settings.stream)) {
    seen.stream = std::move(*stream);
  } else {
    seen.missing.push_back("Redis " + settings.redis->shown + ": " + stream.error());
  }
  auto primary = open_primary(settings, kProgram);
  if (!primary) {
    seen.missing.push_back(primary.error());
    return seen;
  }
  const auto before = read_stored_state(*primary);
  if (before) std::this_thread::sleep_for(interval);
  auto after = before ? read_stored_state(*primary) : before;
  if (!after) {
    seen.missing.push_back("the primary " + settings.primary.shown + ": " + after.error());
    return seen;
  }
  seen.rates = rates_between(*before, *after);
  seen.stored = std::move(*after);
  return seen;
}

/// What somebody should look at, each with what to do.
std::vector<std::string> worries(const Seen& seen) {
  std::vector<std::string> all;
  if (!seen.stored) return all;
  const StoredState& stored = *seen.stored;
  if (stored.is_paused) {
    all.push_back("paused since " + duration_text(stored.paused_seconds) +
                  (stored.why_paused.empty() ? "" : " (" + escaped(stored.why_paused, 200) + ")") +
                  ": nothing is stored until `shortener queue resume`");
  }
  const auto oldest = stored.oldest_seconds();
  if (oldest && *oldest > kLateSeconds && !stored.is_paused) {
    all.push_back("the oldest click has waited for " + duration_text(*oldest) + ": " +
                  (seen.stream && seen.stream->workers() == 0 ? "no worker runs: start one (shortener worker)"
                                                              : "see docs/ops/queue-backed-up.md"));
  }
  if (stored.dead_letters > 0) {
    all.push_back(grouped(stored.dead_letters) + " dead letters: `shortener dlq list`");
  }
  if (stored.unplaced > 0) {
    all.push_back(grouped(stored.unplaced) +
                  " clicks are in no month's table: `shortener maintain` makes those of the " +
                  "months to come; else the clock of an instance is wrong");
  }
  for (const JournalState& each : stored.journals) {
    const std::string name = escaped(each.name, 80);
    if (each.dropped > 0) {
      all.push_back(name + " has lost " + grouped(each.dropped) +
                    " clicks since it started: its journal was full or its disk failed");
    }
    if (each.is_silent() && each.waiting > 0) {
      all.push_back(name + " has been silent for " + duration_text(each.silent_seconds) + " with " +
                    grouped(each.waiting) + " clicks in its journal: start it again, they are stored then");
    }
    if (each.bytes_max > 0 && each.bytes * 2 > each.bytes_max) {
      all.push_back(name + ": its journal is " + std::to_string(each.bytes * 100 / each.bytes_max) + " % full");
    }
    if (each.way == "stuck" && !each.is_silent()) all.push_back(name + " can reach neither Redis nor the primary");
  }
  return all;
}

std::string rate_text(double rate) { return grouped(std::llround(rate)) + "/s"; }

std::string status_text(const Seen& seen, const std::vector<std::string>& worries) {
  std::vector<std::vector<std::string>> table;
  std::string out;
  if (seen.stored) {
    const StoredState& stored = *seen.stored;
    const auto oldest = stored.oldest_seconds();
    table.push_back({"waiting", grouped(stored.waiting()) + " clicks" +
                                    (oldest ? ", the oldest for " + duration_text(*oldest) : std::string())});
    if (seen.rates) {
      const auto drain = seen.rates ? seconds_to_drain(stored.waiting(), *seen.rates) : std::nullopt;
      table.push_back({"rate", rate_text(seen.rates->in) + " in, " + rate_text(seen.rates->out) + " out"});
      table.push_back({"drained in", drain ? duration_text(*drain) : "never at these rates"});
    } else {
      table.push_back({"rate", "an instance has just started: ask again"});
    }
    table.push_back({"state", stored.is_paused ? "paused" : "running"});
    table.push_back({"dead letters", grouped(stored.dead_letters)});
  }
  if (seen.stream) {
    table.push_back({"stream", grouped(seen.stream->entries) + " entries, " + grouped(seen.stream->pending) +
                                   " of them with a worker, " + size_text(seen.stream->bytes) + " in Redis"});
    table.push_back({"workers", grouped(seen.stream->workers())});
  }
  out += table_of(table);
  if (seen.stream && !seen.stream->consumers.empty()) {
    std::vector<std::vector<std::string>> rows{{"WORKER", "ENTRIES", "LAST ASKED"}};
    for (const auto& each : seen.stream->consumers) {
      rows.push_back({each.name, grouped(each.pending), duration_text(each.idle_seconds) + " ago"});
    }
    out += "\n" + table_of(rows, {false, true, true});
  }
  if (seen.stored && !seen.stored->journals.empty()) {
    std::vector<std::vector<std::string>> rows{
        {"INSTANCE", "WRITTEN", "STORED", "WAITING", "JOURNAL", "OF", "LOST", "WAY", "LAST HEARD"}};
    for (const JournalState& each : seen.stored->journals) {
      rows.push_back({each.name, grouped(each.written), grouped(each.stored), grouped(each.waiting),
                      size_text(each.bytes), size_text(each.bytes_max), grouped(each.dropped),
                      each.is_silent() ? "silent" : each.way, duration_text(each.silent_seconds) + " ago"});
    }
    out += "\n" + table_of(rows, {false, true, true, true, true, true, true, false, true});
  }
  for (const std::string& each : worries) out += "\nLOOK  " + each;
  if (!worries.empty()) out += "\n";
  return out;
}

Json status_json(const Seen& seen, const std::vector<std::string>& worries) {
  Json json;
  if (seen.stored) {
    const StoredState& stored = *seen.stored;
    json["waiting"] = stored.waiting();
    json["oldestAgeSeconds"] = rounded_or_null(stored.oldest_seconds());
    json["ratePerSecond"] = nullptr;
    json["secondsToDrain"] = nullptr;
    if (seen.rates) {
      json["ratePerSecond"] = {{"in", rounded(seen.rates->in)}, {"out", rounded(seen.rates->out)}};
      json["secondsToDrain"] = rounded_or_null(seconds_to_drain(stored.waiting(), *seen.rates));
    }
    json["isPaused"] = stored.is_paused;
    json["deadLetters"] = stored.dead_letters;
    json["inNoMonth"] = stored.unplaced;
    json["instances"] = Json::array();
    for (const JournalState& each : stored.journals) {
      json["instances"].push_back({{"instance", each.instance},
                                   {"name", each.name},
                                   {"epoch", each.epoch},
                                   {"written", each.written},
                                   {"stored", each.stored},
                                   {"waiting", each.waiting},
                                   {"journalBytes", each.bytes},
                                   {"journalBytesMax", each.bytes_max},
                                   {"dropped", each.dropped},
                                   {"oldestAgeSeconds", rounded_or_null(each.oldest_seconds)},
                                   {"way", each.way},
                                   {"silentSeconds", rounded(each.silent_seconds)}});
    }
  }
  json["stream"] = nullptr;
  if (seen.stream) {
    Json consumers = Json::array();
    for (const auto& each : seen.stream->consumers) {
      consumers.push_back(
          {{"name", each.name}, {"pending", each.pending}, {"idleSeconds", rounded(each.idle_seconds)}});
    }
    json["stream"] = {{"entries", seen.stream->entries},
                      {"pending", seen.stream->pending},
                      {"bytes", seen.stream->bytes},
                      {"workers", seen.stream->workers()},
                      {"consumers", consumers}};
  }
  json["worries"] = worries;
  json["notAsked"] = seen.missing;
  return json;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? std::string() : std::string("\n")) + line;
  return text;
}

CommandOutcome set_pause(const OperateSettings& settings, const char* is_paused, const std::string& why,
                         const char* said) {
  auto session = open_primary(settings, kProgram);
  if (!session) return not_tried(session.error());
  const auto done = session->run(
      "UPDATE click_control SET is_paused = $1::boolean, why = $2, changed_at = CASE WHEN is_paused = $1::boolean "
      "THEN changed_at ELSE now() END RETURNING 1",
      {is_paused, why.c_str()});
  if (!done) return not_tried(done.error());
  if (done->count() == 0) return not_tried("click_control has no row: run shortener migrate");
  return {.out = said, .wrong = {}};
}

}  // namespace

CommandOutcome queue_status(const OperateSettings& settings, std::chrono::milliseconds interval, bool as_json) {
  const Seen seen = look(settings, interval);
  const auto found = worries(seen);
  const bool is_redis_wanted = settings.redis.has_value();
  const bool is_blind = !seen.stored || (is_redis_wanted && !seen.stream);
  const Ended ended = is_blind ? Ended::NotTried : found.empty() ? Ended::Well : Ended::Partly;
  return {.out = as_json ? line_of(status_json(seen, found)) : status_text(seen, found),
          .wrong = is_blind || !as_json ? joined(seen.missing) : std::string(),
          .ended = ended};
}

CommandOutcome queue_peek(const OperateSettings& settings, int count, bool as_json) {
  auto redis = open_redis(settings);
  if (!redis) return not_tried(redis.error());
  const auto answer = redis->run({"XRANGE", settings.stream, "-", "+", "COUNT", std::to_string(count)});
  if (!answer) return not_tried("Redis " + settings.redis->shown + ": " + answer.error());
  const RedisValue entries = answer->value();
  if (entries.is_error()) return not_tried("Redis " + settings.redis->shown + ": " + std::string(entries.text()));
  std::vector<std::vector<std::string>> table{{"ENTRY", "AT", "CODE", "REFERRER", "DEVICE", "WRONG"}};
  const auto limit = static_cast<std::size_t>(count) + 1;  // the head is one
  for (std::size_t i = 0; i < entries.size() && table.size() < limit; ++i) {
    Batch batch;
    batch.add_entry(std::string(entries.at(i).at(1).at(1).text()));  // [id, [field, value]]
    const std::string id(entries.at(i).at(0).text());
    for (const BatchClick& each : batch.clicks()) {
      const Click& click = each.click;
      const std::chrono::system_clock::time_point at{std::chrono::milliseconds(click.at_ms)};
      if (table.size() < limit) {
        table.push_back({id, rfc3339(at), std::string(click.code), std::string(click.referrer),
                         std::string(name_of(click.device)), ""});
      }
    }
    for (const DeadClick& each : batch.dead()) {
      if (table.size() < limit) table.push_back({id, "", "", "", "", each.reason});
    }
  }
  if (as_json) {
    Json list = Json::array();
    for (std::size_t row = 1; row < table.size(); ++row) {
      const auto& cells = table[row];
      list.push_back({{"entry", cells[0]},
                      {"at", cells[1]},
                      {"code", cells[2]},
                      {"referrer", cells[3]},
                      {"device", cells[4]},
                      {"wrong", cells[5]}});
    }
    return {.out = line_of(list), .wrong = {}};
  }
  if (table.size() == 1) return {.out = "the stream is empty\n", .wrong = {}};
  return {.out = table_of(table), .wrong = {}};
}

CommandOutcome queue_pause(const OperateSettings& settings, const std::string& why) {
  return set_pause(settings, "true", why,
                   "paused: within a second nothing is stored any more; clicks wait in the stream and in the journals, "
                   "redirects go on\n");
}

CommandOutcome queue_resume(const OperateSettings& settings) { return set_pause(settings, "false", "", "resumed\n"); }

CommandOutcome queue_drain(const OperateSettings& settings, const DrainWish& wish,
                           const std::function<void(std::string_view line)>& say) {
  auto primary = open_primary(settings, kProgram);
  if (!primary) return not_tried(primary.error());
  std::optional<RedisSession> redis;
  if (wish.until_empty && settings.redis) {
    auto opened = open_redis(settings);
    if (!opened) return not_tried(opened.error());
    redis = std::move(*opened);
  }
  const auto begun = std::chrono::steady_clock::now();
  std::optional<StoredState> first;
  for (;;) {
    auto now = read_stored_state(*primary);
    if (!now) return not_tried("the primary " + settings.primary.shown + ": " + now.error());
    if (now->is_paused) return partly("it is paused: nothing is stored until `shortener queue resume`");
    if (!first) first = *now;
    // An instance says once a second how it is: what it said before this began is no news.
    const double elapsed = now->clock - first->clock;
    std::int64_t left = 0;
    std::int64_t silent = 0;
    bool is_news = true;
    for (const JournalState& each : now->journals) {
      if (each.is_silent()) {
        silent += each.waiting;
        continue;
      }
      is_news = is_news && each.silent_seconds < elapsed;
      const bool is_left = wish.until_empty ? each.waiting > 0 : each.oldest_seconds && *each.oldest_seconds >= elapsed;
      if (is_left) left += each.waiting;
    }
    if (redis && left == 0) {
      const auto stream = read_stream_state(*redis, settings.stream);
      if (!stream) return not_tried("Redis " + settings.redis->shown + ": " + stream.error());
      left = stream->entries;
    }
    if (left == 0 && is_news) {
      if (silent > 0) {
        return partly(grouped(silent) + " clicks wait in journals of instances that are silent: start these again");
      }
      const std::string took = duration_text(elapsed);
      return {.out = (wish.until_empty ? "empty after " : "all clicks made before it began are stored, after ") + took +
                     "\n",
              .wrong = {}};
    }
    if (std::chrono::steady_clock::now() - begun > wish.timeout) {
      return partly(grouped(now->waiting()) + " clicks still wait after " + duration_text(elapsed) +
                    ": `shortener queue status` shows why");
    }
    // Over the whole time: instances speak once a second, and two words may come within one.
    if (const auto rates = rates_between(*first, *now)) {
      const auto drain = seconds_to_drain(now->waiting(), *rates);
      say(grouped(now->waiting()) + " waiting, " + rate_text(rates->in) + " in, " + rate_text(rates->out) + " out" +
          (drain ? ", " + duration_text(*drain) + " to go" : ""));
    }
    std::this_thread::sleep_for(1s);
  }
}

}  // namespace holdfast::app
