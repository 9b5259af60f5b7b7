#include "app/clicks/batch.h"

#include "common/json.h"

#include <xxhash.h>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

/// An id of bytes that tell none.
ClickId hash_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  ClickId id{};
  std::memcpy(id.data(), &hash.low64, 8);
  std::memcpy(id.data() + 8, &hash.high64, 8);
  return id;
}

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

/// An array of PostgreSQL, in its text form.
class ArrayText {
 public:
  void add(std::string_view item) {
    comma();
    text_ += item;
  }
  template <class Number>
  void add_number(Number number) {
    add(std::to_string(number));
  }
  void add_quoted(std::string_view item) {
    comma();
    text_ += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  std::string take() { return std::move(text_) + "}"; }

 private:
  void comma() {
    if (text_.size() > 1) text_ += ',';
  }
  std::string text_ = "{";
};

/// The numbers that a call is done with, as few ranges as they make in their order.
struct Places {
  ArrayText instances, epochs, firsts, lasts;
  ClickSource source;
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  void add(const ClickSource& from, std::uint64_t from_number, std::uint64_t to_number) {
    if (first != 0 && from == source && from_number == last + 1) {
      last = to_number;
      return;
    }
    finish();
    source = from;
    first = from_number;
    last = to_number;
  }
  void finish() {
    if (first == 0) return;
    instances.add(uuid_text(source.instance));
    epochs.add_number(source.epoch);
    firsts.add_number(first);
    lasts.add_number(last);
    first = 0;
  }
};

nlohmann::json json_of(const DeadClick& dead, std::string_view worker) {
  nlohmann::json json{{"id", uuid_text(dead.id)},  {"kind", dead.is_entry ? "entry" : "record"},
                      {"bytes", hex(dead.bytes)},  {"reason", dead.reason},
                      {"sqlstate", dead.sqlstate}, {"attempts", 1},
                      {"worker", worker}};
  if (dead.source) {
    json["instance"] = uuid_text(dead.source->instance);
    json["epoch"] = dead.source->epoch;
    json["sequence"] = dead.first;
  }
  return json;
}

}  // namespace

void Batch::add_entry(std::string bytes) {
  const std::string& kept = bytes_.emplace_back(std::move(bytes));
  if (const auto entry = read_entry(kept)) return read(*entry);
  dead_.push_back(
      {.id = hash_of(kept), .is_entry = true, .bytes = kept, .reason = "the entry of the stream cannot be read"});
}

void Batch::add_dead_entry(std::string bytes, std::string reason) {
  const std::string& kept = bytes_.emplace_back(std::move(bytes));
  DeadClick dead{.id = hash_of(kept), .is_entry = true, .bytes = kept, .reason = std::move(reason)};
  if (const auto entry = read_entry(kept)) {
    dead.source = entry->source;
    dead.first = entry->first;
    dead.last = entry->last();
  }
  dead_.push_back(std::move(dead));
}

void Batch::add_records(const Entry& entry) {
  Entry kept = entry;
  kept.records = bytes_.emplace_back(entry.records);
  read(kept);
}

/// A record that cannot be read is dead. Where one is cut short nothing tells where the next begins: it is the last.
void Batch::read(const Entry& entry) {
  std::string_view rest = entry.records;
  for (std::uint64_t number = entry.first; number <= entry.last(); ++number) {
    const std::string_view before = rest;
    const auto click = take_record(rest);
    const std::string_view record = before.substr(0, before.size() - rest.size());
    if (click) {
      clicks_.push_back({.click = *click,
                         .record = record,
                         .id = id_of(*click, entry.source, number),
                         .source = entry.source,
                         .sequence = number});
      continue;
    }
    const bool is_cut = record.empty();
    dead_.push_back({.id = hash_of(uuid_text(entry.source.instance) + std::to_string(entry.source.epoch) + "." +
                                   std::to_string(number)),
                     .bytes = is_cut ? before : record,
                     .reason = std::string(click.error()),
                     .source = entry.source,
                     .first = number,
                     .last = is_cut ? entry.last() : number});
    if (is_cut) return;
  }
}

void Batch::clear() {
  clicks_.clear();
  dead_.clear();
  bytes_.clear();
}

std::vector<std::string> ingest_arguments(std::span<const BatchClick> clicks, std::span<const DeadClick> dead,
                                          std::string_view worker) {
  ArrayText ids, ats, codes, referrers, devices, bots, visitors, countries, addresses;
  Places places;
  for (const BatchClick& each : clicks) {
    const Click& click = each.click;
    ids.add(uuid_text(each.id));
    ats.add_number(click.at_ms);
    codes.add_quoted(click.code);
    referrers.add_quoted(click.referrer);
    devices.add_number(static_cast<int>(click.device));
    bots.add(click.is_bot ? "t" : "f");
    visitors.add_number(click.visitor);
    const bool has_country = click.country[0] != '\0';
    countries.add_quoted(has_country ? std::string_view(click.country.data(), click.country.size())
                                     : std::string_view{});
    addresses.add(click.address.family == 0 ? "NULL" : click.address.text());
    places.add(each.source, each.sequence, each.sequence);
  }
  nlohmann::json graves = nlohmann::json::array();
  for (const DeadClick& each : dead) {
    graves.push_back(json_of(each, worker));
    if (each.source) places.add(*each.source, each.first, each.last);
  }
  places.finish();
  std::vector<std::string> arguments;
  for (ArrayText* each : {&ids, &ats, &codes, &referrers, &devices, &bots, &visitors, &countries, &addresses,
                          &places.instances, &places.epochs, &places.firsts, &places.lasts}) {
    arguments.push_back(each->take());
  }
  arguments.push_back(json_text(graves));
  return arguments;
}

}  // namespace holdfast::app
