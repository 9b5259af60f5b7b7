#include "lb/access_log/entry.h"

#include "common/http/rules.h"

#include <algorithm>
#include <optional>

namespace holdfast::lb {
namespace {

constexpr std::size_t kMethodMax = 32;
constexpr std::size_t kHostMax = 255;
constexpr std::size_t kTargetMax = 2048;
constexpr std::size_t kFieldMax = 512;

std::string_view value_of(const RequestHead& head, std::string_view name) {
  for (const Field& field : head.fields) {
    if (field.name.size() == name.size() && equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

}  // namespace

void RequestTexts::keep(const RequestHead& head, std::string_view client) {
  text_.clear();
  version_ = head.version;
  add(0, client, kHostMax);
  add(1, head.method_text, kMethodMax);
  add(2, head.host, kHostMax);
  add(3, head.target, kTargetMax);
  add(4, value_of(head, "User-Agent"), kFieldMax);
  add(5, value_of(head, "Referer"), kFieldMax);
}

void RequestTexts::keep_written(std::string_view head, std::string_view client, Version version) {
  std::string_view host, user_agent, referer;
  const std::string_view first = head.substr(0, head.find("\r\n"));
  for (std::string_view rest = head; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    const auto value_of = [line](std::string_view name) -> std::optional<std::string_view> {
      if (line.size() < name.size() + 2 || line.substr(name.size(), 2) != ": ") return std::nullopt;
      return equals_ignoring_case(line.substr(0, name.size()), name) ? std::optional(line.substr(name.size() + 2))
                                                                     : std::nullopt;
    };
    if (const auto value = value_of("Host")) host = *value;
    if (const auto value = value_of("User-Agent")) user_agent = *value;
    if (const auto value = value_of("Referer")) referer = *value;
  }
  text_.clear();
  version_ = version;
  const std::string_view method = first.substr(0, first.find(' '));
  const std::string_view target = first.substr(std::min(method.size() + 1, first.size()));
  add(0, client, kHostMax);
  add(1, method, kMethodMax);
  add(2, host, kHostMax);
  add(3, target.substr(0, target.rfind(' ')), kTargetMax);
  add(4, user_agent, kFieldMax);
  add(5, referer, kFieldMax);
}

void RequestTexts::add(std::size_t index, std::string_view text, std::size_t bytes_max) {
  text_ += text.substr(0, bytes_max);
  if (text.size() > bytes_max) text_ += "…";
  ends_[index] = text_.size();
}

}  // namespace holdfast::lb
