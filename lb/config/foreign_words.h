// The words of Caddy, nginx and HAProxy for what lb's keys do: aliases if they mean the same, else errors that say what
// to write. Thread: control.
#pragma once

#include "common/config/keys.h"

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::lb {

/// For the keys of a pool and of the top level.
void add_foreign_words(Keys& keys);
/// For the keys of a server.
void add_foreign_server_words(Keys& keys);
/// Returns what to write instead of a policy of another program, by its first word; nothing if it is unknown.
std::optional<std::string> foreign_policy_advice(std::string_view word);

}  // namespace holdfast::lb
