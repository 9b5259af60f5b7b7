// Names to addresses, by the system's resolver.
//
// getaddrinfo() blocks, for as long as a DNS server is silent, and cannot be interrupted. So a thread that must not
// block has it called on a detached thread, which shares nothing but a mailbox or a result: nobody waits for it, the
// end of the program included.
#pragma once

#include "common/loop/mailbox.h"
#include "common/net/address.h"
#include "common/result.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace holdfast {

using Addresses = Result<std::vector<Address>>;

/// Returns the addresses of `host`, each once and without a port, in the order of the system's resolver. Blocks.
Addresses addresses_of(const std::string& host);

/// Returns the addresses of `host:port`, each once and sorted: the IPv4 ones, or the IPv6 ones if there are no others,
/// so that a server that listens on both is not two. An IP address is returned as it is. Blocks.
Addresses resolve_now(const std::string& host_port);

/// As resolve_now(), but returns as soon as `stop` is requested, with an error. Thread: any that may block.
Addresses resolve_unless_stopped(const std::string& host_port, const std::stop_token& stop);

/// Calls `lookup` off the loop's thread, one call at a time. Thread: the loop's.
class Resolver {
 public:
  using Lookup = Addresses (*)(const std::string& name);
  using Resolved = std::function<void(const Addresses&)>;

  explicit Resolver(Loop& loop, Lookup lookup = resolve_now) : loop_(loop), lookup_(lookup) {}

  bool is_under_way() const { return call_ != nullptr; }
  /// `resolved` is called later, never from inside this call. Cancels the call under way.
  void start(std::string name, Resolved resolved);
  /// Nobody hears of the call under way. It is not waited for.
  void cancel() { call_.reset(); }

 private:
  void finish(const Addresses& addresses);

  Loop& loop_;
  Lookup lookup_;
  std::unique_ptr<Mailbox> call_;  // null if none is under way
  Resolved resolved_;
};

}  // namespace holdfast
