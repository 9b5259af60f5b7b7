// YAML to structs: each key is said once, in a describe() beside its struct. Reading, the errors with their place, the
// hint for an unknown key, the dump of what is in force and the reference all walk what describe() says.
//
//     struct HealthConfig { std::chrono::milliseconds interval = 1s; std::string uri; };
//     void describe(Keys& keys, HealthConfig& health) {
//       keys.add("uri", health.uri, "path of a probe");
//       keys.add("interval", health.interval, "time between two probes of a server", 10ms, 1h);
//     }
//     struct Config { HealthConfig health; std::string url; };
//     void describe(Keys& keys, Config& config) {
//       keys.section("health", config.health, "active checks");
//       keys.add("url", config.url, "where the database is").env("DATABASE_URL").secret();
//       keys.alias("health_interval", "health.interval");
//     }
//     Keys keys; describe(keys, config);
//     for (const std::string& error : read_config("lb.yaml", keys)) …   // `lb.yaml:3:7: health.interval: …`
//
// The described structs must outlive the Keys. Thread: any, one at a time.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

class Keys;

/// What is wrong with a value, in words; nothing where it is right.
using Wrong = std::optional<std::string>;

/// What is wrong with a part of a list or map; `part` is what follows the key's name, such as `[2].pool` or `.web`.
struct WrongPart {
  std::string part;
  std::string what;
};

/// One key: what it is for and how its value is read and printed.
struct Key {
  enum class Kind { Scalar, List, Pairs, Section, Map, ListOfMaps };

  Kind kind = Kind::Scalar;
  std::string name;
  std::string help;
  std::string allowed;
  std::function<Wrong(std::string_view)> parse;                                   // Scalar, List: one value
  std::function<void()> clear;                                                    // List, Pairs: before the first value
  std::function<Wrong(std::string_view, std::string_view)> parse_pair;            // Pairs: a name and a value
  std::function<std::vector<std::pair<std::string, std::string>>()> print_pairs;  // Pairs: all
  std::function<std::vector<std::string>()> print;                                // Scalar: one value; List: all
  std::unique_ptr<Keys> section;  // Section; for Map and ListOfMaps an example, for the reference
  std::function<std::unique_ptr<Keys>(std::string_view)> add_entry;  // Map, ListOfMaps: a new element's keys
  std::function<Wrong(std::string_view)> add_short;                  // ListOfMaps: an element written as one scalar
  std::function<std::vector<std::pair<std::string, std::unique_ptr<Keys>>>()> entries;  // Map, ListOfMaps: those there
  std::function<Wrong()> check;                                                         // once everything is read
  std::function<std::vector<WrongPart>()> check_parts;                                  // likewise
  std::string variable;    // of the environment; outweighs the file
  std::string short_form;  // Section: the key that a single value in place of the section is for
  bool is_secret = false;
  bool is_text = false;  // a string that YAML might take for something else: printed in quotes
};

class Keys {
 public:
  /// What can still be said of a key after add().
  class Added {
   public:
    explicit Added(Key& key) : key_(key) {}
    Added& env(std::string_view variable) { return key_.variable = variable, *this; }
    Added& secret() { return key_.is_secret = true, *this; }
    /// A section may be written as one value, which is that of its key `name`.
    Added& short_form(std::string_view name) { return key_.short_form = name, *this; }
    /// Judged when the whole configuration has been read; an error is shown at the key's place.
    Added& check(std::function<Wrong()> judge) { return key_.check = std::move(judge), *this; }
    /// As check(); each error is shown at the place of its part.
    Added& check_parts(std::function<std::vector<WrongPart>()> judge) {
      return key_.check_parts = std::move(judge), *this;
    }

   private:
    Key& key_;
  };

  Added add(std::string_view name, bool& value, std::string_view help);
  Added add(std::string_view name, std::string& value, std::string_view help);
  Added add(std::string_view name, std::chrono::milliseconds& value, std::string_view help,
            std::chrono::milliseconds min, std::chrono::milliseconds max);
  template <std::integral Number>
  Added add(std::string_view name, Number& value, std::string_view help, Number min, Number max) {
    return add_number(
        name, [&value](long long number) { value = static_cast<Number>(number); },
        [&value] { return static_cast<long long>(value); }, help, static_cast<long long>(min),
        static_cast<long long>(max));
  }
  Added add_size(std::string_view name, std::size_t& value, std::string_view help, std::size_t min, std::size_t max);
  /// A share such as `20%`; the sign is part of it.
  Added add_percent(std::string_view name, unsigned& value, std::string_view help, unsigned min, unsigned max);
  /// One of several words.
  template <class Enum>
  Added add_choice(std::string_view name, Enum& value, std::string_view help,
                   std::vector<std::pair<std::string_view, Enum>> words);
  /// A scalar of any type: `parse` stores it or says what is wrong, `print` gives it back.
  Added add_scalar(std::string_view name, std::string_view help, std::string_view allowed,
                   std::function<Wrong(std::string_view)> parse, std::function<std::string()> print);
  /// A list of scalars; a single scalar is a list of one.
  Added add_list(std::string_view name, std::string_view help, std::string_view allowed, std::function<void()> clear,
                 std::function<Wrong(std::string_view)> parse, std::function<std::vector<std::string>()> print);
  /// A map of names, which are no keys of ours, to scalars, or to lists of these.
  Added add_pairs(std::string_view name, std::string_view help, std::string_view allowed, std::function<void()> clear,
                  std::function<Wrong(std::string_view, std::string_view)> parse,
                  std::function<std::vector<std::pair<std::string, std::string>>()> print);
  template <class T>
  Added section(std::string_view name, T& value, std::string_view help);
  /// A map of name to struct, kept as a vector; T has a string `name`.
  template <class T>
  Added map(std::string_view name, std::vector<T>& values, std::string_view help);
  /// A list of structs. An element may be written as one scalar, which `short_form` reads.
  template <class T>
  Added list_of(std::string_view name, std::vector<T>& values, std::string_view help, std::string_view allowed,
                std::function<Wrong(T&, std::string_view)> short_form);
  /// Another name for a key of this section or one below it: `alias("lb_try_duration", "retry.deadline")`.
  void alias(std::string_view word, std::string_view path) { aliases_.emplace_back(word, path); }
  /// A key of another program: an error that says what to write instead, `hint("proxy_pass", "write upstreams: …")`.
  void hint(std::string_view word, std::string_view advice) { hints_.emplace_back(word, advice); }

  const std::vector<std::unique_ptr<Key>>& all() const { return keys_; }
  const std::vector<std::pair<std::string, std::string>>& aliases() const { return aliases_; }
  const std::vector<std::pair<std::string_view, std::string_view>>& hints() const { return hints_; }

 private:
  Key& append(Key::Kind kind, std::string_view name, std::string_view help, std::string_view allowed);
  Added add_number(std::string_view name, std::function<void(long long)> store, std::function<long long()> load,
                   std::string_view help, long long min, long long max);

  std::vector<std::unique_ptr<Key>> keys_;
  std::vector<std::pair<std::string, std::string>> aliases_;
  std::vector<std::pair<std::string_view, std::string_view>> hints_;  // of string literals
};

/// Reads `file` into what `keys` describes, then the environment. Returns every error, each with its place; empty
/// where all is well. An empty `file` reads the environment alone.
std::vector<std::string> read_config(const std::string& file, Keys& keys);
/// As read_config(), from text; `name` stands for the file in errors.
std::vector<std::string> read_config_text(const std::string& name, const std::string& text, Keys& keys);

/// What is in force, as YAML that read_config() takes; secrets are hidden.
std::string dump_config(const Keys& keys);
/// A Markdown table of every key, its default, what is allowed and what it is for.
std::string config_reference(const Keys& keys);

// --- Templates ------------------------------------------------------------------------------------------------------

template <class Enum>
Keys::Added Keys::add_choice(std::string_view name, Enum& value, std::string_view help,
                             std::vector<std::pair<std::string_view, Enum>> words) {
  std::string allowed;
  for (const auto& word : words) allowed += (allowed.empty() ? "" : ", ") + std::string(word.first);
  return add_scalar(
      name, help, allowed,
      [&value, words](std::string_view text) -> Wrong {
        for (const auto& [word, meaning] : words) {
          if (word != text) continue;
          value = meaning;
          return std::nullopt;
        }
        return "no such choice";
      },
      [&value, words] {
        for (const auto& [word, meaning] : words) {
          if (meaning == value) return std::string(word);
        }
        return std::string();
      });
}

template <class T>
Keys::Added Keys::section(std::string_view name, T& value, std::string_view help) {
  Key& key = append(Key::Kind::Section, name, help, "a section");
  key.section = std::make_unique<Keys>();
  describe(*key.section, value);
  return Added(key);
}

template <class T>
Keys::Added Keys::map(std::string_view name, std::vector<T>& values, std::string_view help) {
  Key& key = append(Key::Kind::Map, name, help, "a section for each name");
  // Elements are described by their place in the vector, and its growth would move them: one at a time.
  values.reserve(256);
  key.add_entry = [&values](std::string_view entry) {
    values.emplace_back().name = entry;
    auto keys = std::make_unique<Keys>();
    describe(*keys, values.back());
    return keys;
  };
  key.entries = [&values] {
    std::vector<std::pair<std::string, std::unique_ptr<Keys>>> all;
    for (T& value : values) {
      auto keys = std::make_unique<Keys>();
      describe(*keys, value);
      all.emplace_back(value.name, std::move(keys));
    }
    return all;
  };
  static T example;
  key.section = std::make_unique<Keys>();
  describe(*key.section, example);
  return Added(key);
}

template <class T>
Keys::Added Keys::list_of(std::string_view name, std::vector<T>& values, std::string_view help,
                          std::string_view allowed, std::function<Wrong(T&, std::string_view)> short_form) {
  Key& key = append(Key::Kind::ListOfMaps, name, help, allowed);
  values.reserve(1024);
  key.clear = [&values] { values.clear(); };
  key.add_entry = [&values](std::string_view) {
    values.emplace_back();
    auto keys = std::make_unique<Keys>();
    describe(*keys, values.back());
    return keys;
  };
  key.add_short = [&values, short_form = std::move(short_form)](std::string_view text) {
    return short_form(values.emplace_back(), text);
  };
  key.entries = [&values] {
    std::vector<std::pair<std::string, std::unique_ptr<Keys>>> all;
    for (T& value : values) {
      auto keys = std::make_unique<Keys>();
      describe(*keys, value);
      all.emplace_back(std::string(), std::move(keys));
    }
    return all;
  };
  static T example;
  key.section = std::make_unique<Keys>();
  describe(*key.section, example);
  return Added(key);
}

}  // namespace holdfast
