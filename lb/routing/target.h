// Where a request wants to go: the host and path that routes are chosen by, as any server behind would read them.
// Thread: any.
#pragma once

#include "common/http/head.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::lb {

struct RequestPlace {
  std::string_view authority;  // perhaps with a port; empty where an HTTP/1.0 client named none
  std::string_view path;       // without query; empty for `*` and for an authority alone
};

/// RFC 9112 §3.2.2: the authority of an absolute-form target outweighs Host.
RequestPlace place_of(const RequestHead& head);

/// The host of an authority: without port, and without the dot that ends an absolute name.
std::string_view host_of(std::string_view authority);

/// True where a segment of `path` is `.` or `..`, however it is written: a server that resolves it sees another path
/// than we do. Whatever some server takes for the end of a segment ends one here: `/`, `\`, `;` and the first two
/// in percent form.
bool has_dot_segment(std::string_view path);

/// The next character of a path, taken off its front. What may stand for itself in percent form is the same as itself
/// (RFC 3986 §6.2.2.2); any other percent form is its byte and 256.
std::uint16_t take_path_char(std::string_view& path);

/// `path` with everything that take_path_char() holds equal written in one way.
std::string normal_path(std::string_view path);

}  // namespace holdfast::lb
