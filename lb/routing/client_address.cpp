#include "lb/routing/client_address.h"

#include "common/http/rules.h"

namespace holdfast::lb {
std::string_view client_address(const RequestHead& head, std::string_view peer, bool is_trusted) {
  if (!is_trusted) return peer;
  std::string_view named;  // of several fields the last was written last
  for (const Field& field : head.fields) {
    if (field.id != FieldId::XForwardedFor) continue;
    const auto comma = field.value.rfind(',');
    named = trimmed(comma == std::string_view::npos ? field.value : field.value.substr(comma + 1));
  }
  return named.empty() ? peer : named;
}

}  // namespace holdfast::lb
