#include "lb/access_log/entry.h"

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

void RequestTexts::add(std::size_t index, std::string_view text, std::size_t bytes_max) {
  text_ += text.substr(0, bytes_max);
  if (text.size() > bytes_max) text_ += "…";
  ends_[index] = text_.size();
}

}  // namespace holdfast::lb
