// The host of a target in its one true form: names of other letters as IDNA 2008 has them (libidn2), IPv4 addresses in
// four numbers however oddly they were written, IPv6 addresses in their shortest form.
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace holdfast::app {

/// `given` as it stands in a URL, without a port. The error says what is wrong with it, for the one who sent it.
tl::expected<std::string, std::string_view> normal_host(std::string_view given);

}  // namespace holdfast::app
