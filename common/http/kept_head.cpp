#include "common/http/kept_head.h"

namespace holdfast {

void KeptRequestHead::keep(const RequestHead& head) {
  std::size_t total = head.target.size() + head.host.size() + head.connection.size();
  for (const Field& field : head.fields) total += field.name.size() + field.value.size();
  bytes_.clear();
  bytes_.reserve(total);  // the views below must not be moved by growth
  const auto copy = [this](std::string_view text) {
    const std::size_t at = bytes_.size();
    bytes_ += text;
    return std::string_view(bytes_).substr(at);
  };
  head_ = head;  // method_text is a literal
  head_.target = copy(head.target);
  head_.host = copy(head.host);
  head_.connection = copy(head.connection);
  fields_.clear();
  for (const Field& field : head.fields) fields_.push_back({copy(field.name), copy(field.value), field.id});
  head_.fields = fields_;
}

}  // namespace holdfast
