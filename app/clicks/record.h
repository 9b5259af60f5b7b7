// One click as it is written down: in the journal, in the stream, in a dead letter, always the same bytes.
// Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace holdfast::app {

/// 16 bytes that are one click's alone.
using ClickId = std::array<std::uint8_t, 16>;

enum class Device : std::uint8_t { Other, Desktop, Mobile, Tablet, Bot, Last = Bot };
std::string_view name_of(Device device);

/// A client's address, shortened: /24 of IPv4 (three bytes), /48 of IPv6 (six), or none.
struct ShortAddress {
  std::uint8_t family = 0;  // 4, 6, or 0 where there is none
  std::array<std::uint8_t, 6> bytes{};

  /// `203.0.113.0/24`; empty where there is none.
  std::string text() const;
  friend bool operator==(const ShortAddress&, const ShortAddress&) = default;
};

/// Which run of which instance wrote it. A click's place is this and its number.
struct ClickSource {
  ClickId instance{};       // made when the journal's folder was
  std::uint64_t epoch = 0;  // larger with every start

  friend auto operator<=>(const ClickSource&, const ClickSource&) = default;
};

struct Click {
  std::string_view code;
  std::string_view referrer;  // a host in lower case; empty: none, or not told
  std::int64_t at_ms = 0;     // since 1970
  Device device = Device::Other;
  bool is_bot = false;
  std::uint16_t visitor = 0;  // see visitor_mark(): tells a crowd's size, and nobody's name
  std::array<char, 2> country{};
  ShortAddress address;
  std::optional<ClickId> request;  // the request's own id, where a proxy of ours gave one: it may have been tried twice
};

inline constexpr std::size_t kReferrerBytesMax = 253;

/// Appends the record. The code is at most 128 bytes long, the referrer kReferrerBytesMax.
void append_record(std::string& out, const Click& click);

/// Takes the first record off `bytes`; its views point into them. The error says what is wrong.
tl::expected<Click, std::string_view> take_record(std::string_view& bytes);

/// What a click is known by in the database: the request's id, so that a request that the load balancer sent to two
/// instances counts once; else one that follows from its place.
ClickId id_of(const Click& click, const ClickSource& source, std::uint64_t sequence);

std::string uuid_text(const ClickId& id);
/// 32 hexadecimal digits, with or without the hyphens of a UUID.
std::optional<ClickId> id_from_text(std::string_view text);

}  // namespace holdfast::app
