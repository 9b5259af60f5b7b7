#include "app/links/rules.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace holdfast::app {
namespace {

constexpr std::size_t kForwardedBytesMax = 8 * 1024;

/// Reads a number up to `end_mark` and steps behind that.
bool take_number(std::string_view& text, char end_mark, std::int64_t& number) {
  const auto at = text.find(end_mark);
  if (at == std::string_view::npos) return false;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + at, number);
  if (problem != std::errc{} || end != text.data() + at) return false;
  text.remove_prefix(at + 1);
  return true;
}

/// The `name=value` pieces of a query.
std::vector<std::string_view> pieces_of(std::string_view query) {
  std::vector<std::string_view> pieces;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    if (end != 0) pieces.push_back(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return pieces;
}

std::string_view name_of_piece(std::string_view piece) { return piece.substr(0, piece.find('=')); }

}  // namespace

std::string packed(const LinkRules& rules, std::string_view target) {
  if (rules == LinkRules{}) return std::string(target);
  std::string value = "=" + std::to_string(rules.status);
  if (!rules.is_enabled) value += 'x';
  if (!rules.forwards_query) value += 'q';
  if (rules.is_crawlable) value += 'r';
  if (rules.is_counted) value += 'm';
  value += ';' + std::to_string(rules.valid_since_ms) + ';' + std::to_string(rules.valid_until_ms) + ' ';
  return value += target;
}

std::optional<Unpacked> unpacked(std::string_view value) {
  if (!value.starts_with('=')) return Unpacked{.rules = {}, .target = value};
  if (value.size() < 5) return std::nullopt;
  Unpacked link;
  std::int64_t status = 0;
  for (const char digit : value.substr(1, 3)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    status = status * 10 + (digit - '0');
  }
  if (status != 301 && status != 302 && status != 307 && status != 308) return std::nullopt;
  link.rules.status = static_cast<int>(status);
  value.remove_prefix(4);
  for (; !value.empty() && value.front() != ';'; value.remove_prefix(1)) {
    switch (value.front()) {
      case 'x':
        link.rules.is_enabled = false;
        break;
      case 'q':
        link.rules.forwards_query = false;
        break;
      case 'r':
        link.rules.is_crawlable = true;
        break;
      case 'm':
        link.rules.is_counted = true;
        break;
      default:
        return std::nullopt;  // a flag of a later release: better asked of the database than guessed
    }
  }
  if (value.empty()) return std::nullopt;
  value.remove_prefix(1);
  if (!take_number(value, ';', link.rules.valid_since_ms)) return std::nullopt;
  if (!take_number(value, ' ', link.rules.valid_until_ms)) return std::nullopt;
  link.target = value;
  return link;
}

Validity validity_of(const LinkRules& rules, std::chrono::system_clock::time_point now) {
  if (!rules.is_enabled) return Validity::Disabled;
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  if (rules.valid_since_ms != 0 && now_ms < rules.valid_since_ms) return Validity::TooEarly;
  if (rules.valid_until_ms != 0 && now_ms >= rules.valid_until_ms) return Validity::Expired;
  return Validity::Valid;
}

std::string with_query(std::string_view target, std::string_view query) {
  const auto fragment_at = std::min(target.find('#'), target.size());
  const std::string_view fragment = target.substr(fragment_at);
  std::string url(target.substr(0, fragment_at));
  const auto question = url.find('?');
  const std::string own(question == std::string::npos ? std::string() : url.substr(question + 1));
  const std::vector<std::string_view> own_pieces = pieces_of(own);
  bool is_first = question == std::string::npos;
  for (const std::string_view piece : pieces_of(query)) {
    const bool is_said = std::any_of(own_pieces.begin(), own_pieces.end(), [&](std::string_view each) {
      return name_of_piece(each) == name_of_piece(piece);
    });
    if (is_said) continue;
    if (is_first) {
      url += '?';
    } else if (url.back() != '?' && url.back() != '&') {
      url += '&';
    }
    is_first = false;
    for (const char c : piece) {
      // Whatever a visitor sends becomes part of a Location field: the few bytes that are unfit are encoded.
      if (c > 0x20 && c < 0x7F && c != '\\' && c != '#') {
        url += c;
      } else {
        const auto byte = static_cast<unsigned char>(c);
        url += '%';
        url += "0123456789ABCDEF"[byte >> 4];
        url += "0123456789ABCDEF"[byte & 15];
      }
    }
  }
  url += fragment;
  return url.size() > kForwardedBytesMax ? std::string(target) : url;
}

}  // namespace holdfast::app
