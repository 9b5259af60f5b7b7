// A host name to its addresses in numbers, off the loop's thread.
// Thread: the loop's.
#pragma once

#include "common/loop/loop.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::app {

/// True for an IPv4 or IPv6 address in numbers, and for the path of a Unix socket: nothing to look up.
bool is_resolved(const std::string& host);

/// One look-up at a time. Destroying it cancels it: libuv's part of it outlives it.
class HostResolver {
 public:
  explicit HostResolver(Loop& loop) : loop_(loop) {}
  ~HostResolver() { cancel(); }
  HostResolver(const HostResolver&) = delete;
  HostResolver& operator=(const HostResolver&) = delete;

  /// The addresses, or none where the name is unknown, and why.
  using Resolved = std::function<void(std::vector<std::string> addresses, const char* why)>;
  /// `resolved` is called later, never from inside.
  void start(const std::string& host, Resolved resolved);
  void cancel();

 private:
  struct Request;
  Loop& loop_;
  Request* request_ = nullptr;
};

}  // namespace holdfast::app
