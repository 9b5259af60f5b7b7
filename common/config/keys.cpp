#include "common/config/keys.h"

#include "common/units.h"

#include <charconv>

namespace holdfast {
namespace {

std::string range(const std::string& min, const std::string& max) { return min + " to " + max; }

}  // namespace

Key& Keys::append(Key::Kind kind, std::string_view name, std::string_view help, std::string_view allowed) {
  keys_.push_back(std::make_unique<Key>());
  Key& key = *keys_.back();
  key.kind = kind;
  key.name = name;
  key.help = help;
  key.allowed = allowed;
  return key;
}

Keys::Added Keys::add_scalar(std::string_view name, std::string_view help, std::string_view allowed,
                             std::function<Wrong(std::string_view)> parse, std::function<std::string()> print) {
  Key& key = append(Key::Kind::Scalar, name, help, allowed);
  key.parse = std::move(parse);
  key.print = [print = std::move(print)] { return std::vector<std::string>{print()}; };
  return Added(key);
}

Keys::Added Keys::add_list(std::string_view name, std::string_view help, std::string_view allowed,
                           std::function<void()> clear, std::function<Wrong(std::string_view)> parse,
                           std::function<std::vector<std::string>()> print) {
  Key& key = append(Key::Kind::List, name, help, allowed);
  key.clear = std::move(clear);
  key.parse = std::move(parse);
  key.print = std::move(print);
  key.is_text = true;
  return Added(key);
}

Keys::Added Keys::add_pairs(std::string_view name, std::string_view help, std::string_view allowed,
                            std::function<void()> clear, std::function<Wrong(std::string_view, std::string_view)> parse,
                            std::function<std::vector<std::pair<std::string, std::string>>()> print) {
  Key& key = append(Key::Kind::Pairs, name, help, allowed);
  key.clear = std::move(clear);
  key.parse_pair = std::move(parse);
  key.print_pairs = std::move(print);
  return Added(key);
}

Keys::Added Keys::add(std::string_view name, bool& value, std::string_view help) {
  return add_scalar(
      name, help, "true, false",
      [&value](std::string_view text) -> Wrong {
        if (text != "true" && text != "false") return "not true or false";
        value = text == "true";
        return std::nullopt;
      },
      [&value] { return value ? "true" : "false"; });
}

Keys::Added Keys::add(std::string_view name, std::string& value, std::string_view help) {
  Added added = add_scalar(
      name, help, "text",
      [&value](std::string_view text) -> Wrong {
        for (const char c : text) {
          if (static_cast<unsigned char>(c) < 0x20) return "a control byte in it";
        }
        value = text;
        return std::nullopt;
      },
      [&value] { return value; });
  keys_.back()->is_text = true;
  return added;
}

Keys::Added Keys::add(std::string_view name, std::chrono::milliseconds& value, std::string_view help,
                      std::chrono::milliseconds min, std::chrono::milliseconds max) {
  return add_scalar(
      name, help, "a duration such as 250ms, 2s, 1m; " + range(print_duration(min), print_duration(max)),
      [&value, min, max](std::string_view text) -> Wrong {
        const auto parsed = parse_duration(text);
        if (!parsed) return "not a duration";
        if (*parsed < min || *parsed > max) return "out of range";
        value = *parsed;
        return std::nullopt;
      },
      [&value] { return print_duration(value); });
}

Keys::Added Keys::add_number(std::string_view name, std::function<void(long long)> store,
                             std::function<long long()> load, std::string_view help, long long min, long long max) {
  return add_scalar(
      name, help, "a number, " + range(std::to_string(min), std::to_string(max)),
      [store = std::move(store), min, max](std::string_view text) -> Wrong {
        long long number = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (problem != std::errc{} || end != text.data() + text.size()) return "not a whole number";
        if (number < min || number > max) return "out of range";
        store(number);
        return std::nullopt;
      },
      [load = std::move(load)] { return std::to_string(load()); });
}

Keys::Added Keys::add_size(std::string_view name, std::size_t& value, std::string_view help, std::size_t min,
                           std::size_t max) {
  return add_scalar(
      name, help, "a size such as 512B, 64KiB, 10MiB; " + range(print_size(min), print_size(max)),
      [&value, min, max](std::string_view text) -> Wrong {
        const auto parsed = parse_size(text);
        if (!parsed) return "not a size";
        if (*parsed < min || *parsed > max) return "out of range";
        value = *parsed;
        return std::nullopt;
      },
      [&value] { return print_size(value); });
}

Keys::Added Keys::add_percent(std::string_view name, unsigned& value, std::string_view help, unsigned min,
                              unsigned max) {
  const auto text_of = [](unsigned percent) { return std::to_string(percent) + "%"; };
  return add_scalar(
      name, help, "a share such as 20%; " + range(text_of(min), text_of(max)),
      [&value, min, max](std::string_view text) -> Wrong {
        unsigned percent = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), percent);
        const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
        if (problem == std::errc::result_out_of_range) return "out of range";
        if (problem != std::errc{} || rest != "%") return "not a share";
        if (percent < min || percent > max) return "out of range";
        value = percent;
        return std::nullopt;
      },
      [&value, text_of] { return text_of(value); });
}

}  // namespace holdfast
