// Names to addresses, by the system's resolver.
#pragma once

#include "common/loop/loop.h"
#include "common/net/address.h"
#include "common/result.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast {

/// The addresses of `host:port`, in their own order and each once: the IPv4 ones, or the IPv6 ones where there are no
/// others, so that a server that listens on one of them is not two. An IP address is taken as it is. Blocks as long as
/// the system's resolver does: for start-up, never on a loop that serves.
Result<std::vector<Address>> resolve_now(const std::string& host_port);

/// resolve_now() on a thread of its own, one call at a time.
class Resolver {
 public:
  using Resolved = std::function<void(const Result<std::vector<Address>>&)>;

  explicit Resolver(Loop& loop) : loop_(loop) {}
  /// A call under way ends unheard; it is not waited for.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  bool is_under_way() const { return call_ != nullptr; }
  /// `resolved` is called on the loop's thread, never from inside this call. None may be under way.
  void start(std::string host_port, Resolved resolved);

 private:
  struct Call;

  Loop& loop_;
  std::shared_ptr<Call> call_;
};

}  // namespace holdfast
