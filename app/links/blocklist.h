// Hosts that no link may lead to, from a file: one a line, with everything below it; `#` begins a comment.
// Thread: the loop's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_set>

namespace holdfast::app {

class Blocklist {
 public:
  /// None where `file` is empty. The error names file and line.
  static tl::expected<Blocklist, std::string> read(const std::string& file);
  /// As read(), from text; `name` stands for the file in errors.
  static tl::expected<Blocklist, std::string> parse(std::string_view text, const std::string& name);

  /// Is it on the list, or below a host that is? `host` is in its normal form.
  bool has(std::string_view host) const;
  /// As has(), of the host of a URL.
  bool has_target(std::string_view target) const;
  std::size_t size() const { return hosts_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_set<std::string, Hash, std::equal_to<>> hosts_;
};

}  // namespace holdfast::app
