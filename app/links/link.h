// What a link is, and which targets and slugs are allowed.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace holdfast::app {

inline constexpr std::size_t kTargetBytesMax = 8 * 1024;
inline constexpr std::size_t kCodeBytesMax = 128;

/// A host and port of ours: a link onto it would lead in a circle. The host is in its normal form (app/links/host.h).
struct Origin {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const Origin&, const Origin&) = default;
};

/// The origin of an http or https URL; nothing where it is none.
std::optional<Origin> origin_of(std::string_view url);
/// Of a Host value as a client sends it, for `http`.
std::optional<Origin> origin_of_host(std::string_view host);

/// The target as it is stored and put into a Location field: as given, but for a host in other letters or an address
/// oddly written, which get their normal form, and for bytes beyond ASCII behind it, which are percent-encoded
/// (existing escapes stay). The error says what is wrong with it, for the one who sent it.
tl::expected<std::string, std::string_view> checked_target(std::string_view given,
                                                           std::size_t bytes_max = kTargetBytesMax);

/// Byte by byte: may this stand in a Location field? Asked of whatever comes out of a store; rules that were packed
/// with it (app/links/rules.h) must be legible too.
bool is_safe_target(std::string_view value);

/// What is wrong with a slug that somebody chose; nothing where it may be had.
std::optional<std::string_view> wrong_with_slug(std::string_view slug);

/// Could this be a code at all? [A-Za-z0-9_-]{1,128}
bool is_code(std::string_view text);

/// Words that routes of ours have, or will have; compared without case.
bool is_reserved(std::string_view slug);

/// Bytes as in a URL: %XX decoded. Nothing where an escape is broken.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace holdfast::app
