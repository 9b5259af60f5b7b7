// Values that several keys have.
// Thread: control.
#pragma once

#include "common/config/keys.h"
#include "lb/pool/settings.h"

#include <string_view>
#include <vector>

namespace holdfast::lb {

/// A list of statuses and ranges of them: `[204, 300-399]`.
Keys::Added add_status(Keys& keys, std::string_view name, std::vector<StatusRange>& ranges, std::string_view help);

/// Returns why `text` is not host:port and what to write instead, or nothing if it is. `*` and an empty host pass.
Wrong wrong_host_port(std::string_view text);

/// What is wrong with `path` as a request's target, if anything.
Wrong wrong_path(std::string_view path);

}  // namespace holdfast::lb
