#include "common/http/head.h"

#include <array>
#include <utility>

namespace holdfast {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Lower-case names of the fields that we look at.
constexpr std::array<std::pair<std::string_view, FieldId>, 19> kKnownFields{{
    {"te", FieldId::Te},
    {"host", FieldId::Host},
    {"expect", FieldId::Expect},
    {"trailer", FieldId::Trailer},
    {"upgrade", FieldId::Upgrade},
    {"lb-drain", FieldId::LbDrain},
    {"connection", FieldId::Connection},
    {"keep-alive", FieldId::KeepAlive},
    {"retry-after", FieldId::RetryAfter},
    {"content-type", FieldId::ContentType},
    {"x-request-id", FieldId::XRequestId},
    {"content-length", FieldId::ContentLength},
    {"idempotency-key", FieldId::IdempotencyKey},
    {"x-forwarded-for", FieldId::XForwardedFor},
    {"proxy-connection", FieldId::ProxyConnection},
    {"x-forwarded-host", FieldId::XForwardedHost},
    {"transfer-encoding", FieldId::TransferEncoding},
    {"x-accel-buffering", FieldId::XAccelBuffering},
    {"x-forwarded-proto", FieldId::XForwardedProto},
}};

constexpr std::size_t kKnownLengthMax = 17;

/// For each length of name, which rows of kKnownFields have it: most fields of a request match no length and letter.
struct Range {
  std::uint8_t first = 0, last = 0;
};
constexpr std::array<Range, kKnownLengthMax + 1> kByLength = [] {
  std::array<Range, kKnownLengthMax + 1> ranges{};
  for (std::uint8_t row = 0; row < kKnownFields.size(); ++row) {
    Range& range = ranges[kKnownFields[row].first.size()];
    if (range.last == 0) range.first = row;
    range.last = static_cast<std::uint8_t>(row + 1);
  }
  return ranges;
}();

constexpr std::array<std::pair<std::string_view, Method>, 9> kMethods{{
    {"GET", Method::Get},
    {"HEAD", Method::Head},
    {"POST", Method::Post},
    {"PUT", Method::Put},
    {"DELETE", Method::Delete},
    {"CONNECT", Method::Connect},
    {"OPTIONS", Method::Options},
    {"TRACE", Method::Trace},
    {"PATCH", Method::Patch},
}};

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

FieldId field_id(std::string_view name) {
  if (name.size() > kKnownLengthMax) return FieldId::Other;
  const Range range = kByLength[name.size()];
  for (std::uint8_t row = range.first; row < range.last; ++row) {
    if (equals_ignoring_case(kKnownFields[row].first, name)) return kKnownFields[row].second;
  }
  return FieldId::Other;
}

Method method_from(std::string_view text) {
  for (const auto& [name, method] : kMethods) {
    if (name == text) return method;
  }
  return Method::Other;
}

std::string_view method_name(Method method) {
  for (const auto& [name, known] : kMethods) {
    if (known == method) return name;
  }
  return "OTHER";
}

const Field* MessageHead::find(FieldId id) const {
  for (const Field& field : fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

const Field* MessageHead::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

}  // namespace holdfast
