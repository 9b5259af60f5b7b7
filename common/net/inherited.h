// Sockets that listen already when the process starts: given by systemd (sd_listen_fds(3)), or by the process that this
// one takes over from. Thread: the one that starts the others; before them.
#pragma once

#include "common/net/address.h"

#include <cstddef>
#include <optional>

namespace holdfast {

/// Takes what the environment names: LISTEN_FDS of them from descriptor 3 on, where LISTEN_PID is this process or not
/// given. The variables are gone afterwards. Returns how many there are.
std::size_t adopt_inherited_sockets();

/// One that listens at `address` (any port, where that is 0), which is the caller's from now on; nothing where none is
/// left.
std::optional<int> take_inherited_socket(const Address& address);

bool has_inherited_socket(const Address& address);

/// Those that nobody has taken.
std::size_t inherited_sockets_left();

}  // namespace holdfast
