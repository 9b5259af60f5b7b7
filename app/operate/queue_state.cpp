#include "app/operate/queue_state.h"

#include "app/clicks/entry.h"

#include <algorithm>
#include <map>

namespace holdfast::app {
namespace {

/// What a list of names and values says of a name; nil where it does not.
RedisValue find(RedisValue list, std::string_view name) {
  for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
    if (list.at(i).text() == name) return list.at(i + 1);
  }
  return RedisValue(nullptr);
}

/// A stream or a group that is not there yet is an empty one.
bool is_missing(RedisValue value) {
  return value.text().find("no such key") != std::string_view::npos || value.text().starts_with("NOGROUP");
}

}  // namespace

std::int64_t StoredState::waiting() const {
  std::int64_t sum = 0;
  for (const JournalState& each : journals) sum += each.waiting;
  return sum;
}

std::int64_t StoredState::written() const {
  std::int64_t sum = 0;
  for (const JournalState& each : journals) sum += each.written;
  return sum;
}

std::int64_t StoredState::stored() const {
  std::int64_t sum = 0;
  for (const JournalState& each : journals) sum += each.stored;
  return sum;
}

std::optional<double> StoredState::oldest_seconds() const {
  std::optional<double> oldest;
  for (const JournalState& each : journals) {
    if (each.oldest_seconds) oldest = std::max(oldest.value_or(0), *each.oldest_seconds);
  }
  return oldest;
}

std::int64_t StreamState::workers() const {
  return std::count_if(consumers.begin(), consumers.end(), [](const Consumer& each) { return each.is_there(); });
}

tl::expected<StoredState, std::string> read_stored_state(Session& session) {
  const auto whole = session.run(
      "SELECT is_paused, why, extract(epoch FROM now() - changed_at), (SELECT count(*) FROM dead_clicks), "
      "(SELECT count(*) FROM (SELECT FROM clicks_other LIMIT 100000) AS few), extract(epoch FROM clock_timestamp()) "
      "FROM click_control");
  if (!whole) return tl::unexpected(whole.error());
  const auto rows = session.run(
      "SELECT j.instance, j.name, j.epoch, j.written, coalesce((SELECT sum(upper(r) - lower(r)) "
      "FROM click_watermarks AS w, unnest(w.stored) AS r WHERE w.instance = j.instance), 0), j.waiting, j.bytes, "
      "j.bytes_max, j.dropped, extract(epoch FROM now() - j.oldest_at), j.way, extract(epoch FROM now() - "
      "j.reported_at) "
      "FROM click_journals AS j ORDER BY j.name, j.instance");
  if (!rows) return tl::unexpected(rows.error());
  StoredState state;
  if (whole->count() == 1) {
    state.is_paused = whole->is_true(0, 0);
    state.why_paused = whole->text(0, 1);
    state.paused_seconds = seconds_at(*whole, 0, 2);
    state.dead_letters = number_at(*whole, 0, 3);
    state.unplaced = number_at(*whole, 0, 4);
    state.clock = seconds_at(*whole, 0, 5);
  }
  for (int row = 0; row < rows->count(); ++row) {
    JournalState& journal = state.journals.emplace_back();
    journal.instance = rows->text(row, 0);
    journal.name = rows->text(row, 1);
    journal.epoch = number_at(*rows, row, 2);
    journal.written = number_at(*rows, row, 3);
    journal.stored = number_at(*rows, row, 4);
    journal.waiting = number_at(*rows, row, 5);
    journal.bytes = number_at(*rows, row, 6);
    journal.bytes_max = number_at(*rows, row, 7);
    journal.dropped = number_at(*rows, row, 8);
    if (!rows->is_null(row, 9)) journal.oldest_seconds = std::max(seconds_at(*rows, row, 9), 0.0);
    journal.way = rows->text(row, 10);
    journal.silent_seconds = std::max(seconds_at(*rows, row, 11), 0.0);
  }
  return state;
}

tl::expected<StreamState, std::string> read_stream_state(RedisSession& redis, const std::string& stream) {
  StreamState state;
  redis.put({"XLEN", stream});
  redis.put({"MEMORY", "USAGE", stream, "SAMPLES", "5"});
  redis.put({"XINFO", "CONSUMERS", stream, kGroup});
  const auto entries = redis.take();
  const auto memory = redis.take();
  const auto consumers = redis.take();
  if (!consumers) return tl::unexpected(consumers.error());
  if (entries->value().is_error()) return tl::unexpected(std::string(entries->value().text()));
  const RedisValue list = consumers->value();
  if (list.is_error() && !is_missing(list)) return tl::unexpected(std::string(list.text()));
  state.entries = entries->value().number();
  state.bytes = memory->value().number();
  for (std::size_t i = 0; i < list.size(); ++i) {
    state.consumers.push_back({.name = std::string(find(list.at(i), "name").text()),
                               .pending = find(list.at(i), "pending").number(),
                               .idle_seconds = static_cast<double>(find(list.at(i), "idle").number()) / 1000});
    state.pending += state.consumers.back().pending;
  }
  return state;
}

std::optional<Rates> rates_between(const StoredState& before, const StoredState& after) {
  const double seconds = after.clock - before.clock;
  if (seconds <= 0) return std::nullopt;
  std::map<std::string, const JournalState*, std::less<>> old;
  for (const JournalState& each : before.journals) old.emplace(each.instance, &each);
  Rates rates;
  for (const JournalState& each : after.journals) {
    const auto found = old.find(each.instance);
    if (found == old.end() || found->second->epoch != each.epoch) return std::nullopt;
    rates.in += static_cast<double>(each.written - found->second->written) / seconds;
    rates.out += static_cast<double>(each.stored - found->second->stored) / seconds;
  }
  return rates;
}

std::optional<double> seconds_to_drain(std::int64_t waiting, const Rates& rates) {
  if (waiting == 0) return 0;
  const double gain = rates.out - rates.in;
  if (gain <= 0) return std::nullopt;
  return static_cast<double>(waiting) / gain;
}

}  // namespace holdfast::app
