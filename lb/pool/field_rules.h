// What a configuration changes of a message's header fields: some go, some get another value, some come beside them.
// Thread: one until the configuration is read, then any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::lb {

/// Returns what is wrong with `name` as the name of a header field and what to write, or nothing.
std::optional<std::string> wrong_field_name(std::string_view name);

class FieldRules {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  /// Which head the rules are for: what they may touch differs.
  enum class Side { Request, Response };

  explicit FieldRules(Side side) : side_(side) {}

  /// Each returns what is wrong with it, in words, and changes nothing then. Framing, connection and hop-by-hop fields
  /// are not for rules to touch, nor is Idempotency-Key.
  /// Whatever the message says under this name, it goes on with this value. `Host`: of a request alone.
  std::optional<std::string> set(std::string_view name, std::string_view value);
  /// It goes on with one more field.
  std::optional<std::string> add(std::string_view name, std::string_view value);
  /// It goes on without.
  std::optional<std::string> remove(std::string_view name);
  void clear_set();
  void clear_add();
  void clear_remove();

  const Pairs& fields_set() const { return set_; }
  const Pairs& fields_added() const { return added_; }
  const std::vector<std::string>& names_removed() const { return removed_; }

  /// A field of this name does not go on as it came.
  bool drops(std::string_view name) const { return !dropped_.empty() && is_dropped(name); }
  /// Nor does one with `_` in its name, if a client sent it.
  bool omits_underscores() const { return side_ == Side::Request && !passes_underscores; }
  /// What is written instead and beside, as lines of a head.
  std::string_view lines() const { return lines_; }
  Side side() const { return side_; }
  /// Request fields with `_` in their name go on. CGI and WSGI servers cannot tell them from fields with `-`.
  bool passes_underscores = false;
  /// Host of the request; empty: its own.
  std::string_view host() const { return host_; }

 private:
  std::optional<std::string> wrong(std::string_view name, std::string_view value) const;
  bool is_dropped(std::string_view name) const;
  void compile();

  Side side_;
  Pairs set_;
  Pairs added_;
  std::vector<std::string> removed_;
  std::vector<std::string> dropped_;  // set_ and removed_
  std::string lines_;
  std::string host_;
};

}  // namespace holdfast::lb
