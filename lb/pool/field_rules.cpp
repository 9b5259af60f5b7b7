#include "lb/pool/field_rules.h"

#include "common/http/head.h"
#include "common/http/rules.h"
#include "lb/pool/placeholders.h"

#include <algorithm>

namespace holdfast::lb {
namespace {

constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kRulesMax = 64;

bool is_host(std::string_view name) { return equals_ignoring_case(name, "Host"); }

/// What lb itself answers for, or what only ever concerns one connection.
bool is_reserved(std::string_view name) {
  const FieldId id = field_id(name);
  switch (id) {
    case FieldId::ContentLength:
    case FieldId::Expect:
    case FieldId::IdempotencyKey:
    case FieldId::LbDrain:
      return true;
    default:
      return is_hop_by_hop(id);
  }
}

}  // namespace

std::optional<std::string> wrong_field_name(std::string_view name) {
  if (name.empty()) return "the name of the header field is missing";
  const std::string rest(name.substr(1));
  // Valid in a token, but these are Caddy's operators, and no header field begins with one.
  if (name.front() == '-') return "a name cannot begin with '-'; to remove a field, write remove: [" + rest + "]";
  if (name.front() == '+') return "a name cannot begin with '+'; to add a field, write it under add";
  if (name.find('*') != name.npos) return "a name cannot contain a wildcard; write each name in full";
  if (name.back() == ':') return "write the name without the colon";
  if (!std::all_of(name.begin(), name.end(), is_token_char)) {
    return "not the name of a header field; use letters, digits and '-'";
  }
  return std::nullopt;
}

std::optional<std::string> FieldRules::wrong(std::string_view name, std::string_view value) const {
  const std::string line = std::string(name) + ": " + std::string(value) + "\r\n";
  Field field;
  if (line.size() > kLineBytesMax) return "too long";
  if (auto problem = wrong_field_name(name)) return problem;
  if (!read_field_line(line, field) || field.name != name) return "the value contains a control character";
  if (field.value != value) return "blanks at the value's ends, which no field has";
  if (is_reserved(name)) return "this field is lb's own business";
  if (auto problem = placeholder_error(value)) return problem;
  if (set_.size() + added_.size() + removed_.size() >= kRulesMax) return "too many rules: 64 at most";
  return std::nullopt;
}

std::optional<std::string> FieldRules::set(std::string_view name, std::string_view value) {
  if (auto problem = wrong(name, value)) return problem;
  if (is_host(name) && (side_ == Side::Response || !is_valid_host(value))) return "not a host";
  const bool is_set = std::any_of(set_.begin(), set_.end(),
                                  [name](const auto& pair) { return equals_ignoring_case(pair.first, name); });
  if (is_set) return "set twice: add gives a field several values";
  set_.emplace_back(name, value);
  compile();
  return std::nullopt;
}

std::optional<std::string> FieldRules::add(std::string_view name, std::string_view value) {
  if (auto problem = wrong(name, value)) return problem;
  if (is_host(name)) return "there is one Host: set it";
  added_.emplace_back(name, value);
  compile();
  return std::nullopt;
}

std::optional<std::string> FieldRules::remove(std::string_view name) {
  if (auto problem = wrong(name, "")) return problem;
  if (is_host(name)) return "there is one Host: set it";
  removed_.emplace_back(name);
  compile();
  return std::nullopt;
}

void FieldRules::clear_set() {
  set_.clear();
  compile();
}

void FieldRules::clear_add() {
  added_.clear();
  compile();
}

void FieldRules::clear_remove() {
  removed_.clear();
  compile();
}

bool FieldRules::is_dropped(std::string_view name) const {
  return std::any_of(dropped_.begin(), dropped_.end(),
                     [name](const std::string& one) { return equals_ignoring_case(one, name); });
}

void FieldRules::compile() {
  dropped_ = removed_;
  lines_.clear();
  host_.clear();
  for (const auto& [name, value] : set_) {
    if (is_host(name)) {
      host_ = value;
      continue;
    }
    dropped_.push_back(name);
    lines_ += name + ": " + value + "\r\n";
  }
  for (const auto& [name, value] : added_) lines_ += name + ": " + value + "\r\n";
}

}  // namespace holdfast::lb
