// `shortener keys create|list|revoke`: changes the table on the primary; every instance follows within half a second.
// Thread: any; it blocks, and is for the command line.
#pragma once

#include "app/keys/api_key.h"
#include "app/store/dsn.h"

#include <optional>
#include <string>

namespace holdfast::app {

struct KeyWanted {
  std::string name;
  Scopes scopes;
  std::string expires;  // a duration from now, `90d`, or a time as RFC 3339 has it; empty: never
};

/// What is printed on stdout, and what went wrong; one of them is empty.
struct KeysOutput {
  std::string out;
  std::string wrong;
};

KeysOutput create_key(const PostgresDsn& dsn, const KeyWanted& wanted, bool as_json);
KeysOutput list_keys(const PostgresDsn& dsn, bool as_json);
/// By its id, or by the key itself. A repeated revocation succeeds too.
KeysOutput revoke_key(const PostgresDsn& dsn, const std::string& id);

}  // namespace holdfast::app
