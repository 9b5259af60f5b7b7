// Prints what Keys describe: the configuration in force as YAML, and the reference of every key.
#include "common/config/keys.h"

#include <yaml-cpp/yaml.h>

namespace holdfast {
namespace {

constexpr std::string_view kHidden = "(hidden)";

void emit(YAML::Emitter& out, const Keys& keys);

void emit_values(YAML::Emitter& out, const Key& key, const std::vector<std::string>& values) {
  const bool is_list = key.kind == Key::Kind::List;
  if (is_list) out << YAML::Flow << YAML::BeginSeq;
  for (const std::string& value : values) {
    if (key.is_text) out << YAML::DoubleQuoted;
    out << (key.is_secret && !value.empty() ? std::string(kHidden) : value);
  }
  if (is_list) out << YAML::EndSeq;
}

/// What belongs to one name stands together.
void emit_pairs(YAML::Emitter& out, const Key& key) {
  const auto pairs = key.print_pairs();
  out << YAML::BeginMap;
  for (std::size_t i = 0; i < pairs.size();) {
    std::size_t end = i + 1;
    while (end < pairs.size() && pairs[end].first == pairs[i].first) ++end;
    const bool is_list = end - i > 1;
    out << YAML::Key << YAML::DoubleQuoted << pairs[i].first << YAML::Value;
    if (is_list) out << YAML::Flow << YAML::BeginSeq;
    for (; i < end; ++i) out << YAML::DoubleQuoted << (key.is_secret ? std::string(kHidden) : pairs[i].second);
    if (is_list) out << YAML::EndSeq;
  }
  out << YAML::EndMap;
}

void emit_key(YAML::Emitter& out, const Key& key) {
  out << YAML::Key << key.name << YAML::Value;
  switch (key.kind) {
    case Key::Kind::Scalar:
    case Key::Kind::List:
      return emit_values(out, key, key.print());
    case Key::Kind::Pairs:
      return emit_pairs(out, key);
    case Key::Kind::Section:
      return emit(out, *key.section);
    case Key::Kind::Map:
      out << YAML::BeginMap;
      for (const auto& [name, keys] : key.entries()) {
        out << YAML::Key << name << YAML::Value;
        emit(out, *keys);
      }
      out << YAML::EndMap;
      return;
    case Key::Kind::ListOfMaps:
      out << YAML::BeginSeq;
      for (const auto& [name, keys] : key.entries()) emit(out, *keys);
      out << YAML::EndSeq;
      return;
  }
}

void emit(YAML::Emitter& out, const Keys& keys) {
  out << YAML::BeginMap;
  for (const auto& key : keys.all()) {
    const bool is_collection = key->kind == Key::Kind::Map || key->kind == Key::Kind::ListOfMaps;
    if (is_collection && key->entries().empty()) continue;
    if (key->kind == Key::Kind::Pairs && key->print_pairs().empty()) continue;
    emit_key(out, *key);
  }
  out << YAML::EndMap;
}

void describe_rows(std::string& out, const Keys& keys, const std::string& prefix) {
  for (const auto& key : keys.all()) {
    const std::string path = prefix + key->name;
    std::string fallback;
    if (key->print) {
      for (const std::string& value : key->print()) fallback += (fallback.empty() ? "" : ", ") + value;
    }
    out += "| `" + path + "` | " + (fallback.empty() ? std::string("–") : "`" + fallback + "`") + " | " + key->allowed +
           " | " + key->help;
    for (const auto& [word, target] : keys.aliases()) {
      if (target == key->name) out += " (also `" + word + "`)";
    }
    if (!key->variable.empty()) out += " (environment: `" + key->variable + "`)";
    out += " |\n";
    if (key->section == nullptr) continue;
    const std::string below = key->kind == Key::Kind::Map          ? path + ".NAME."
                              : key->kind == Key::Kind::ListOfMaps ? path + "[]."
                                                                   : path + ".";
    describe_rows(out, *key->section, below);
  }
  for (const auto& [word, target] : keys.aliases()) {
    if (target.find('.') != std::string::npos) {
      out += "| `" + prefix + word + "` | | | another name for `" + prefix + target + "` |\n";
    }
  }
}

}  // namespace

std::string dump_config(const Keys& keys) {
  YAML::Emitter out;
  emit(out, keys);
  return std::string(out.c_str()) + "\n";
}

std::string config_reference(const Keys& keys) {
  std::string out = "| key | default | allowed | what it is for |\n|---|---|---|---|\n";
  describe_rows(out, keys, "");
  return out;
}

}  // namespace holdfast
