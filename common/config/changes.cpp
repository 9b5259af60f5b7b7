#include "common/config/changes.h"

#include <map>
#include <utility>

namespace holdfast {
namespace {

struct Value {
  std::string text;
  bool is_secret = false;
};
using Values = std::map<std::string, Value>;

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

void collect(const Keys& keys, const std::string& prefix, Values& values);

/// An element of a list, as one value; a secret in it makes all of it one.
Value element_value(const Keys& keys) {
  Values values;
  collect(keys, {}, values);
  std::vector<std::string> parts;
  bool is_secret = false;
  for (const auto& [name, value] : values) {
    if (!value.text.empty()) parts.push_back(name + ": " + value.text);
    is_secret = is_secret || value.is_secret;
  }
  return {"{" + joined(parts) + "}", is_secret};
}

void collect(const Keys& keys, const std::string& prefix, Values& values) {
  for (const auto& key : keys.all()) {
    const std::string path = prefix + key->name;
    std::vector<std::string> parts;
    bool is_secret = false;
    switch (key->kind) {
      case Key::Kind::Scalar:
      case Key::Kind::List:
        values[path] = {joined(key->print()), key->is_secret};
        break;
      case Key::Kind::Pairs:
        for (const auto& [name, value] : key->print_pairs()) parts.push_back(name + ": " + value);
        values[path] = {joined(parts), key->is_secret};
        break;
      case Key::Kind::Section:
        collect(*key->section, path + ".", values);
        break;
      case Key::Kind::Map:
        for (const auto& [name, its_keys] : key->entries()) collect(*its_keys, path + "." + name + ".", values);
        break;
      case Key::Kind::ListOfMaps:
        is_secret = key->is_secret;
        for (const auto& [name, its_keys] : key->entries()) {
          Value element = element_value(*its_keys);
          is_secret = is_secret || element.is_secret;
          parts.push_back(std::move(element.text));
        }
        values[path] = {joined(parts), is_secret};
        break;
    }
  }
}

std::string shown(const Value& value) {
  return value.is_secret && !value.text.empty() ? std::string("(hidden)") : value.text;
}

}  // namespace

std::vector<ConfigChange> config_changes(const Keys& before, const Keys& after) {
  Values old_values;
  Values new_values;
  collect(before, {}, old_values);
  collect(after, {}, new_values);
  std::vector<ConfigChange> changes;
  // Both in one order: the key that comes first is looked at in both.
  auto was = old_values.begin();
  auto is = new_values.begin();
  while (was != old_values.end() || is != new_values.end()) {
    const bool has_old = was != old_values.end() && (is == new_values.end() || was->first <= is->first);
    const bool has_new = is != new_values.end() && (was == old_values.end() || is->first <= was->first);
    const std::string& key = has_old ? was->first : is->first;
    const Value old_value = has_old ? was->second : Value{};
    const Value new_value = has_new ? is->second : Value{};
    if (old_value.text != new_value.text) changes.push_back({key, shown(old_value), shown(new_value)});
    if (has_old) ++was;
    if (has_new) ++is;
  }
  return changes;
}

}  // namespace holdfast
