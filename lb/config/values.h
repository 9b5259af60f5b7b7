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

/// What is wrong with `path` as a request's target, if anything.
Wrong wrong_path(std::string_view path);

}  // namespace holdfast::lb
