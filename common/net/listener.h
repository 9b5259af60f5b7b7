// A listening TCP socket on one loop: bind, SO_REUSEPORT, accept.
// Thread: the loop's.
#pragma once

#include "common/loop/loop.h"
#include "common/net/address.h"
#include "common/net/stream.h"
#include "common/result.h"

#include <memory>

namespace holdfast {

/// Told of each new connection, and asked before it is taken. Who is not taken waits in the kernel's queue.
class ListenerUser {
 public:
  /// Keeps a place for one more connection. Where there is none, the listener takes no more in this turn.
  virtual bool reserve() { return true; }
  /// Nobody came for the place that reserve() kept.
  virtual void unreserve() {}
  /// Somebody waits, and there is no place: makes and keeps one if it can. Where not, the listener pauses.
  virtual bool make_room() { return false; }
  /// Somebody waits, and the process has no descriptor left (or the kernel no memory: `error_number`): gives one up if
  /// it can. Where not, the listener pauses.
  virtual bool free_descriptor([[maybe_unused]] int error_number) { return false; }
  /// `stream` is accepted and silent: give it a user, then start reading. Its place was kept, but when the listener
  /// closes: then all who wait are taken.
  virtual void on_accept(Stream stream) = 0;

 protected:
  ~ListenerUser() = default;
};

/// Who else may listen at the same address.
enum class PortSharing {
  Alone,   // AddressInUse where anybody listens there
  Shared,  // with others of ours that said Shared as well (SO_REUSEPORT)
};

class Listener {
 public:
  /// Binds and listens, or takes an inherited socket that does (common/net/inherited.h). Port 0 takes a free one: see
  /// address().
  static Result<Listener> open(Loop& loop, const Address& address, PortSharing sharing, ListenerUser& user);

  const Address& address() const { return address_; }
  /// The socket, which stays the listener's.
  int fd() const;
  /// Ends a pause now, since there is room again. By itself it ends soon, in case that nobody says so.
  void resume();
  /// Takes the connections that have come about already, then stops listening: the kernel would reset them.
  void close();
  bool is_open() const { return block_ != nullptr; }

 private:
  struct Block;
  struct CloseLater {
    void operator()(Block* block) const noexcept;
  };
  Address address_;
  std::unique_ptr<Block, CloseLater> block_;
};

/// AddressInUse where somebody listens at `address` already, even one who shares it; but for a socket that we inherit.
/// With SO_REUSEPORT the kernel would let two programs of one user listen side by side unnoticed.
Result<void> check_address_free(const Address& address);

}  // namespace holdfast
