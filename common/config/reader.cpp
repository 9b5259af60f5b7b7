// Reads YAML and the environment into what Keys describe, collecting every error with its place.
#include "common/config/keys.h"
#include "common/escape.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <utility>

namespace holdfast {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kElementsMax = 256;  // of a map or list of structs: their vectors have room for these
constexpr std::size_t kValuesMax = 4096;   // of a list of scalars
constexpr std::size_t kErrorsMax = 100;    // told one by one; the others are counted
constexpr std::size_t kWordBytesMax = 64;  // of a word that is no key of ours: told, and compared with ours

constexpr std::string_view kNotUtf8 = "a byte that is not UTF-8";

/// How many letters differ (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  void read_map(const YAML::Node& node, Keys& keys, const std::string& prefix) {
    if (node.IsNull() || !node.IsDefined()) return;
    if (!node.IsMap()) {
      const std::string example = section_example(node, keys, path_or_file(prefix));
      return fail(node, path_or_file(prefix), "not a section" + example, example.empty() ? "key: value lines" : "");
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        fail(entry.first, path_or_file(prefix), "a key that is no word", "key: value lines");
        continue;
      }
      const std::string name = entry.first.Scalar();
      if (!seen.insert(name).second) {
        fail(entry.first, prefix + word_text(name), "given twice", "each key once");
        continue;
      }
      read_key(entry.first, entry.second, keys, prefix, name);
    }
  }

  void read_environment(Keys& keys, const std::string& prefix) {
    for (const auto& key : keys.all()) {
      if (key->kind == Key::Kind::Section) read_environment(*key->section, prefix + key->name + ".");
      if (key->variable.empty()) continue;
      const char* value = std::getenv(key->variable.c_str());
      if (value == nullptr || *value == '\0') continue;
      if (key->kind == Key::Kind::List) {
        key->clear();
        for (const std::string& item : items_of(value)) read_variable(*key, prefix + key->name, item);
      } else {
        read_variable(*key, prefix + key->name, value);
      }
      places_[prefix + key->name] = "environment variable " + key->variable;
    }
  }

  void read_variable(Key& key, const std::string& path, const std::string& value) {
    const bool is_utf8 = valid_utf8_bytes(value) == value.size();
    if (const Wrong wrong = is_utf8 ? key.parse(value) : Wrong(kNotUtf8)) {
      failed_.push_back(path);
      tell("environment variable " + key.variable, "", said(key, value, *wrong), key.allowed);
    }
  }

  /// What commas and blanks separate: a variable is one text, also where a list is meant.
  static std::vector<std::string> items_of(std::string_view text) {
    constexpr std::string_view kBetween = ", \t";
    std::vector<std::string> items;
    for (std::size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;) {
      const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
      items.emplace_back(text.substr(at, end - at));
      at = text.find_first_not_of(kBetween, end);
    }
    return items;
  }

  /// Once everything has been read.
  void run_checks(const Keys& keys) {
    run_checks_of(keys, "");
    for (const auto& [prefix, element] : elements_) run_checks_of(*element, prefix);
  }

  std::vector<std::string> take_errors() {
    if (errors_untold_ > 0) errors_.push_back(file_ + ": and " + std::to_string(errors_untold_) + " more errors");
    return std::move(errors_);
  }

  void fail_at(const YAML::Mark& mark, std::string_view what, std::string_view allowed = {}) {
    tell(place_text(mark), "", what, allowed);
  }

 private:
  /// How the section may be written that has `node` in its place: `health: {uri: /health}`, by its first key.
  static std::string section_example(const YAML::Node& node, const Keys& keys, const std::string& path) {
    if (!node.IsScalar() || keys.all().empty()) return {};
    const std::string& value = node.Scalar();
    Key& first = *keys.all().front();
    const bool is_list = first.kind == Key::Kind::ListOfMaps;
    if (first.is_secret || (first.kind != Key::Kind::Scalar && !is_list)) return {};
    if ((is_list ? first.add_short : first.parse)(value) || (first.check && first.check())) return {};
    const std::string text = escaped(value, 100);
    const std::string name = path.substr(path.rfind('.') + 1);  // npos + 1 is 0
    return "; write its keys, for example " + name + ": {" + first.name + ": " + (is_list ? "[" + text + "]" : text) +
           "}";
  }

  std::string path_or_file(const std::string& prefix) const {
    return prefix.empty() ? std::string("the file") : prefix.substr(0, prefix.size() - 1);
  }
  std::string place_text(const YAML::Mark& mark) const {
    return file_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  }
  static std::string said(const Key& key, std::string_view value, std::string_view wrong) {
    if (key.is_secret) return std::string(wrong);
    return "'" + escaped(value, 100) + "': " + std::string(wrong);
  }
  static std::string word_text(const std::string& word) { return escaped(word, kWordBytesMax); }

  /// What the file and the checks say may hold any byte: it is made fit for a terminal here, for all of them.
  void tell(const std::string& place, const std::string& key, std::string_view what, std::string_view allowed) {
    if (errors_.size() >= kErrorsMax) {
      ++errors_untold_;
      return;
    }
    std::string text = place + ": " + key + (key.empty() ? "" : ": ") + std::string(what);
    if (!allowed.empty()) text += "; allowed: " + std::string(allowed);
    errors_.push_back(escaped(text));
  }

  void fail(const YAML::Node& node, const std::string& key, std::string_view what, std::string_view allowed) {
    failed_.push_back(key);
    tell(place_text(node.Mark()), key, what, allowed);
  }

  void read_key(const YAML::Node& word, const YAML::Node& value, Keys& keys, const std::string& prefix,
                const std::string& name) {
    for (const auto& key : keys.all()) {
      if (key->name == name) return read_once(word, value, *key, prefix + name);
    }
    for (const auto& [alias, path] : keys.aliases()) {
      if (alias != name) continue;
      if (Key* key = find(keys, path)) return read_once(word, value, *key, prefix + path);
    }
    for (const auto& [hinted, advice] : keys.hints()) {
      if (hinted == name) return fail(word, prefix + name, "not a key of this program; " + std::string(advice), "");
    }
    std::string nearest;
    std::size_t best = std::min(std::max<std::size_t>(2, name.size() / 3), name.size() / 2) + 1;
    const auto consider = [&](const std::string& known) {
      if (name.size() > kWordBytesMax) return;  // nobody meant one of ours, and comparing takes its time
      if (const std::size_t far = distance(name, known); far < best) {
        best = far;
        nearest = known;
      }
    };
    std::string known;
    for (const auto& key : keys.all()) {
      consider(key->name);
      known += (known.empty() ? "" : ", ") + key->name;
    }
    for (const auto& alias : keys.aliases()) consider(alias.first);
    fail(word, prefix + word_text(name),
         nearest.empty() ? "unknown key" : "unknown key, did you mean '" + nearest + "'?", known);
  }

  static Key* find(const Keys& keys, std::string_view path) {
    const auto dot = path.find('.');
    for (const auto& key : keys.all()) {
      if (key->name != path.substr(0, dot)) continue;
      if (dot == std::string_view::npos) return key.get();
      return key->kind == Key::Kind::Section ? find(*key->section, path.substr(dot + 1)) : nullptr;
    }
    return nullptr;
  }

  /// One key may be said by two words, its own and its alias.
  void read_once(const YAML::Node& word, const YAML::Node& value, Key& key, const std::string& path) {
    const auto [place, is_new] = places_.try_emplace(path, place_text(word.Mark()));
    if (!is_new) return fail(word, path, "given twice, first at " + place->second, "one of its names");
    if (value.IsNull() && key.kind != Key::Kind::Section) return fail(word, path, "no value", key.allowed);
    read_value(value, key, path);
  }

  void read_value(const YAML::Node& value, Key& key, const std::string& path) {
    switch (key.kind) {
      case Key::Kind::Scalar:
        return read_scalar(value, key, path);
      case Key::Kind::List:
        key.clear();
        if (!value.IsSequence()) return read_scalar(value, key, path);
        return read_list(value, key, path);
      case Key::Kind::Pairs:
        return read_pairs(value, key, path);
      case Key::Kind::Section:
        if (value.IsScalar() && !key.short_form.empty()) {
          Key* inner = find(*key.section, key.short_form);
          return read_once(value, value, *inner, path + "." + key.short_form);
        }
        return read_map(value, *key.section, path + ".");
      case Key::Kind::Map:
        return read_entries(value, key, path);
      case Key::Kind::ListOfMaps:
        return read_elements(value, key, path);
    }
  }

  void read_scalar(const YAML::Node& value, Key& key, const std::string& path) {
    if (!value.IsScalar()) return fail(value, path, "not a single value", key.allowed);
    if (const Wrong wrong = key.parse(value.Scalar()))
      fail(value, path, said(key, value.Scalar(), *wrong), key.allowed);
  }

  void read_list(const YAML::Node& value, Key& key, const std::string& path) {
    if (value.size() > kValuesMax) return fail(value, path, "too many", "at most " + std::to_string(kValuesMax));
    for (const auto& element : value) read_scalar(element, key, path);
  }

  void read_pairs(const YAML::Node& value, Key& key, const std::string& path) {
    if (!value.IsMap()) return fail(value, path, "not a map", key.allowed);
    if (value.size() > kElementsMax) return fail(value, path, "too many", "at most 256");
    key.clear();
    std::set<std::string> seen;
    for (const auto& entry : value) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
      const std::string place = path + "." + word_text(name);
      if (name.empty() || !seen.insert(name).second) {
        fail(entry.first, place, name.empty() ? "no name" : "given twice", key.allowed);
        continue;
      }
      if (!entry.second.IsSequence()) {
        read_pair(name, entry.second, key, place);
        continue;
      }
      if (entry.second.size() > kElementsMax) return fail(entry.second, place, "too many", "at most 256");
      for (const auto& element : entry.second) read_pair(name, element, key, place);
    }
  }

  void read_pair(const std::string& name, const YAML::Node& value, Key& key, const std::string& place) {
    if (!value.IsScalar()) return fail(value, place, "not a single value", key.allowed);
    if (const Wrong wrong = key.parse_pair(name, value.Scalar())) {
      fail(value, place, said(key, value.Scalar(), *wrong), key.allowed);
    }
  }

  void read_entries(const YAML::Node& value, Key& key, const std::string& path) {
    if (!value.IsMap()) {
      has_unread_collection_ = true;
      return fail(value, path, "not a section", key.allowed);
    }
    std::set<std::string> seen;
    for (const auto& entry : value) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
      if (name.empty() || !seen.insert(name).second) {
        fail(entry.first, path + "." + word_text(name), name.empty() ? "no name" : "given twice", key.allowed);
        continue;
      }
      if (seen.size() > kElementsMax) return fail(entry.first, path, "too many", "at most 256");
      places_.try_emplace(path + "." + name, place_text(entry.first.Mark()));
      elements_.emplace_back(path + "." + name + ".", key.add_entry(name));
      Keys& keys = *elements_.back().second;
      read_map(entry.second, keys, path + "." + name + ".");
    }
  }

  void read_elements(const YAML::Node& value, Key& key, const std::string& path) {
    if (!value.IsSequence()) {
      has_unread_collection_ = true;
      const bool is_element = value.IsScalar() && !key.add_short(value.Scalar());
      return fail(
          value, path,
          is_element ? "not a list; write " + key.name + ": [" + escaped(value.Scalar(), 100) + "]" : "not a list",
          key.allowed);
    }
    key.clear();
    std::size_t count = 0;
    for (const auto& element : value) {
      const std::string place = path + "[" + std::to_string(count) + "]";
      if (++count > kElementsMax) return fail(element, path, "too many", "at most 256");
      places_.try_emplace(place, place_text(element.Mark()));
      if (element.IsScalar()) {
        if (const Wrong wrong = key.add_short(element.Scalar())) {
          fail(element, place, said(key, element.Scalar(), *wrong), key.allowed);
        }
        continue;
      }
      elements_.emplace_back(place + ".", key.add_entry({}));
      Keys& keys = *elements_.back().second;
      read_map(element, keys, place + ".");
    }
  }

  void run_checks_of(const Keys& keys, const std::string& prefix) {
    for (const auto& key : keys.all()) {
      if (key->kind == Key::Kind::Section) run_checks_of(*key->section, prefix + key->name + ".");
      const std::string path = prefix + key->name;
      const bool is_collection = key->kind == Key::Kind::Map || key->kind == Key::Kind::ListOfMaps;
      if (is_collection && has_unread_collection_) continue;
      if (key->check && (key->kind == Key::Kind::Map || !has_failed(path))) {
        if (const Wrong wrong = key->check()) tell(place_of(path, path), path, *wrong, "");
      }
      if (!key->check_parts) continue;
      for (const WrongPart& one : key->check_parts()) {
        if (!has_failed(path + one.part)) tell(place_of(path + one.part, path), path + one.part, one.what, "");
      }
    }
  }

  /// Whether the value at `path`, a part of it or what it is part of could not be read: whatever a check says follows
  /// from that.
  bool has_failed(const std::string& path) const {
    const auto is_within = [](const std::string& inner, const std::string& outer) {
      return inner.starts_with(outer) &&
             (inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[');
    };
    return std::any_of(failed_.begin(), failed_.end(), [&path, &is_within](const std::string& failed) {
      return is_within(failed, path) || is_within(path, failed);
    });
  }

  /// Where `path` was given, else `fallback`.
  const std::string& place_of(const std::string& path, const std::string& fallback) const {
    for (const std::string* one : {&path, &fallback}) {
      if (const auto place = places_.find(*one); place != places_.end()) return place->second;
    }
    return file_;
  }

  std::string file_;
  std::vector<std::string> errors_;
  std::size_t errors_untold_ = 0;
  std::vector<std::string> failed_;            // the keys that could not be read
  bool has_unread_collection_ = false;         // a map or list of sections: other keys may refer to its elements
  std::map<std::string, std::string> places_;  // of each key that was given: in the file, or a variable
  std::vector<std::pair<std::string, std::unique_ptr<Keys>>> elements_;  // of maps and lists, with their prefixes
};

/// Notes where documents begin.
class Documents final : public YAML::EventHandler {
 public:
  std::vector<YAML::Mark> begins;

  void OnDocumentStart(const YAML::Mark& mark) override { begins.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Where something follows the first document, which YAML::Load() leaves out without a word. Not YAML::LoadAll(): a
/// stray `,` makes it find empty documents without end.
std::optional<YAML::Mark> second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Documents documents;
  if (!parser.HandleNextDocument(documents) || !parser.HandleNextDocument(documents)) return std::nullopt;
  return documents.begins.back();
}

/// The first byte of `text` that no UTF-8 has, or a NUL. yaml-cpp keeps the first as it is but prints another character
/// in its place, and takes a text with the second for UTF-16 or UTF-32.
std::optional<YAML::Mark> not_utf8(const std::string& text) {
  const std::size_t valid = std::min(valid_utf8_bytes(text), text.find('\0'));
  if (valid >= text.size()) return std::nullopt;
  const auto line_begin = text.rfind('\n', valid) + 1;  // 0 in the first line: npos + 1
  YAML::Mark mark;
  mark.pos = static_cast<int>(valid);
  mark.line = static_cast<int>(std::count(text.begin(), text.begin() + mark.pos, '\n'));
  mark.column = static_cast<int>(valid - line_begin);
  return mark;
}

/// The whole of a file, or what is wrong with it. The size is counted as it is read: some files tell none.
Wrong read_file(const std::string& file, std::string& text) {
  std::error_code problem;
  if (!std::filesystem::is_regular_file(file, problem)) {
    return (problem ? problem.message() : std::string("not a file")) + "; give the path of a YAML file";
  }
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) return "can't be opened; is it yours to read?";
  text.resize(kFileBytesMax + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return "can't be read";
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) return "larger than 1 MiB";
  return std::nullopt;
}

}  // namespace

std::vector<std::string> read_config_text(const std::string& name, const std::string& text, Keys& keys) {
  Reader reader(name);
  if (const auto mark = not_utf8(text)) {
    reader.fail_at(*mark, kNotUtf8, "text in UTF-8, of which ASCII is a part");
    return reader.take_errors();
  }
  try {
    reader.read_map(YAML::Load(text), keys, "");
    if (const auto second = second_document(text)) reader.fail_at(*second, "a second document", "one in a file");
  } catch (const YAML::DeepRecursion& problem) {
    reader.fail_at(problem.mark, "not valid YAML: nested too deeply");
    return reader.take_errors();
  } catch (const YAML::Exception& problem) {
    reader.fail_at(problem.mark, "not valid YAML: " + problem.msg);
    return reader.take_errors();
  }
  reader.read_environment(keys, "");
  reader.run_checks(keys);
  return reader.take_errors();
}

std::vector<std::string> read_config(const std::string& file, Keys& keys) {
  if (file.empty()) return read_config_text("configuration", "", keys);
  std::string text;
  if (const Wrong wrong = read_file(file, text)) return {escaped(file) + ": " + *wrong};
  return read_config_text(file, text, keys);
}

}  // namespace holdfast
