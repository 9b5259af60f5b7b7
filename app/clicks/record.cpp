#include "app/clicks/record.h"

#include <arpa/inet.h>
#include <xxhash.h>
#include <algorithm>
#include <bit>
#include <cstring>

namespace holdfast::app {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

// The first byte of a record is the length of what follows it, in two bytes; then come its parts in this order.
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kIsBot = 1;
constexpr std::uint8_t kHasRequest = 2;

template <class Number>
void put(std::string& out, Number number) {
  std::array<char, sizeof number> bytes{};
  std::memcpy(bytes.data(), &number, sizeof number);
  out.append(bytes.data(), bytes.size());
}

void put_text(std::string& out, std::string_view text) {
  out += static_cast<char>(static_cast<std::uint8_t>(text.size()));
  out += text;
}

/// Takes parts off a record's front; what is asked for beyond its end is nothing, and is remembered.
class Parts {
 public:
  explicit Parts(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) {
      is_short_ = true;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number<std::uint8_t>()); }
  bool is_whole() const { return !is_short_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool is_short_ = false;
};

std::size_t bytes_of_family(std::uint8_t family) { return family == 4 ? 3 : family == 6 ? 6 : 0; }

}  // namespace

std::string_view name_of(Device device) {
  switch (device) {
    case Device::Other:
      return "other";
    case Device::Desktop:
      return "desktop";
    case Device::Mobile:
      return "mobile";
    case Device::Tablet:
      return "tablet";
    case Device::Bot:
      return "bot";
  }
  return "other";
}

std::string ShortAddress::text() const {
  if (family == 4) {
    return std::to_string(bytes[0]) + "." + std::to_string(bytes[1]) + "." + std::to_string(bytes[2]) + ".0/24";
  }
  if (family != 6) return {};
  std::array<std::uint8_t, 16> whole{};
  std::copy(bytes.begin(), bytes.end(), whole.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, whole.data(), text.data(), text.size());
  return std::string(text.data()) + "/48";
}

void append_record(std::string& out, const Click& click) {
  const std::size_t begin = out.size();
  put(out, std::uint16_t{0});
  put(out, kVersion);
  put(out, static_cast<std::uint8_t>((click.is_bot ? kIsBot : 0) | (click.request.has_value() ? kHasRequest : 0)));
  put(out, static_cast<std::uint8_t>(click.device));
  put(out, click.at_ms);
  put(out, click.visitor);
  out.append(click.country.data(), click.country.size());
  put(out, click.address.family);
  out.append(reinterpret_cast<const char*>(click.address.bytes.data()), bytes_of_family(click.address.family));
  if (click.request) out.append(reinterpret_cast<const char*>(click.request->data()), click.request->size());
  put_text(out, click.code.substr(0, 255));
  put_text(out, click.referrer.substr(0, kReferrerBytesMax));
  const auto size = static_cast<std::uint16_t>(out.size() - begin - sizeof(std::uint16_t));
  std::memcpy(out.data() + begin, &size, sizeof size);
}

tl::expected<Click, std::string_view> take_record(std::string_view& bytes) {
  if (bytes.size() < sizeof(std::uint16_t)) return tl::unexpected<std::string_view>("a record is cut short");
  std::uint16_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  if (bytes.size() - sizeof size < size) return tl::unexpected<std::string_view>("a record is cut short");
  Parts parts(bytes.substr(sizeof size, size));
  bytes.remove_prefix(sizeof size + size);

  Click click;
  if (parts.number<std::uint8_t>() != kVersion) {
    return tl::unexpected<std::string_view>("a record of a version that is not known here");
  }
  const auto flags = parts.number<std::uint8_t>();
  const auto device = parts.number<std::uint8_t>();
  click.is_bot = (flags & kIsBot) != 0;
  click.at_ms = parts.number<std::int64_t>();
  click.visitor = parts.number<std::uint16_t>();
  const std::string_view country = parts.take(2);
  click.address.family = parts.number<std::uint8_t>();
  const std::string_view address = parts.take(bytes_of_family(click.address.family));
  if ((flags & kHasRequest) != 0) {
    const std::string_view id = parts.take(16);
    click.request.emplace();
    if (!id.empty()) std::memcpy(click.request->data(), id.data(), id.size());
  }
  click.code = parts.text();
  click.referrer = parts.text();
  const bool is_known = device <= static_cast<std::uint8_t>(Device::Last) &&
                        (click.address.family == 0 || click.address.family == 4 || click.address.family == 6);
  if (!parts.is_whole() || !is_known) return tl::unexpected<std::string_view>("a record's parts do not fit its size");
  click.device = static_cast<Device>(device);
  std::copy(country.begin(), country.end(), click.country.begin());
  std::copy(address.begin(), address.end(), click.address.bytes.begin());
  return click;
}

ClickId id_of(const Click& click, const ClickSource& source, std::uint64_t sequence) {
  if (click.request) return *click.request;
  std::array<std::uint8_t, 32> place{};
  std::memcpy(place.data(), source.instance.data(), 16);
  std::memcpy(place.data() + 16, &source.epoch, 8);
  std::memcpy(place.data() + 24, &sequence, 8);
  const XXH128_hash_t hash = XXH3_128bits(place.data(), place.size());
  ClickId id{};
  std::memcpy(id.data(), &hash.low64, 8);
  std::memcpy(id.data() + 8, &hash.high64, 8);
  // The time first: neighbours in time are neighbours in the index.
  for (std::size_t i = 0; i < 6; ++i) id[i] = static_cast<std::uint8_t>(click.at_ms >> (40 - 8 * i));
  return id;
}

std::string uuid_text(const ClickId& id) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += "0123456789abcdef"[id[i] >> 4];
    text += "0123456789abcdef"[id[i] & 15];
  }
  return text;
}

std::optional<ClickId> id_from_text(std::string_view text) {
  if (text.size() != 32 && text.size() != 36) return std::nullopt;
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  ClickId id{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = digit(text[i]);
    if (value < 0) return std::nullopt;
    id[digits / 2] = static_cast<std::uint8_t>(digits % 2 == 0 ? value << 4 : id[digits / 2] | value);
    ++digits;
  }
  return id;
}

}  // namespace holdfast::app
