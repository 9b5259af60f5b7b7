#include "common/net/listener.h"

#include "common/net/inherited.h"

#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace holdfast {

struct Listener::Block {
  uv_poll_t poll{};
  uv_timer_t retry{};
  int open_handles = 2;
  int fd = -1;
  Loop* loop = nullptr;
  ListenerUser* user = nullptr;
  bool is_paused = false;
  bool is_closing = false;

  /// False where no more connections wait, or none can be taken now.
  bool accept_some();
  bool has_place(bool is_first);
  void pause();
  void watch();
};

namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsATurn = 64;
/// A pause ends by itself after this: what was missing may be given back by somebody who does not know of us.
constexpr std::uint64_t kPauseMs = 100;

bool is_out_of_something(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM;
}

tl::unexpected<Error> bind_failure(int error_number) {
  switch (error_number) {
    case EADDRINUSE:
      return failure(Code::AddressInUse, Side::Self, "somebody else listens there", -error_number);
    case EAFNOSUPPORT:
      return failure(Code::BadAddress, Side::Self, "this machine has no IPv6; write 0.0.0.0 for all IPv4 addresses",
                     -error_number);
    case EADDRNOTAVAIL:
      return failure(Code::BadAddress, Side::Self, "this machine has no such address", -error_number);
    case EACCES:
      return failure(Code::BadAddress, Side::Self, "not permitted: ports under 1024 need a privilege", -error_number);
    default:
      return failure(Code::Internal, Side::Self, "the socket could not be bound", -error_number);
  }
}

/// A bound socket, or the reason why not.
Result<int> bind_socket(const Address& address, PortSharing sharing) {
  const int fd = ::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return bind_failure(errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (sharing == PortSharing::Shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // [::] takes IPv4 as well, whatever net.ipv6.bindv6only says.
  const int off = 0;
  if (address.raw()->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd, address.raw(), address.raw_bytes()) == 0) return fd;
  const int error_number = errno;
  ::close(fd);
  return bind_failure(error_number);
}

}  // namespace

bool Listener::Block::has_place(bool is_first) {
  if (is_closing || user->reserve()) return true;
  // Room is made for the first one of a turn only: that somebody waits is sure for none but it.
  if (!is_first) return false;
  if (user->make_room()) return true;
  pause();
  return false;
}

bool Listener::Block::accept_some() {
  // A bounded number, so that a flood of clients does not starve those who are being served.
  for (int i = 0; i < kAcceptsATurn && user != nullptr; ++i) {
    if (!has_place(i == 0)) return false;
    const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const int problem = errno;
    if (accepted >= 0) {
      auto stream = Stream::adopt(*loop, accepted);
      if (stream) {
        user->on_accept(std::move(*stream));
      } else if (!is_closing) {
        user->unreserve();
      }
      continue;
    }
    if (!is_closing) user->unreserve();
    if (problem == EAGAIN || problem == EWOULDBLOCK) return false;
    if (!is_out_of_something(problem)) continue;  // that connection is gone; others may wait
    if (user->free_descriptor(problem)) continue;
    // Who waits is not lost, and would be reported again and again: the poll must stop.
    pause();
    return false;
  }
  return true;
}

void Listener::Block::watch() {
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    Block* accepting = static_cast<Block*>(handle->data);
    if (accepting->user != nullptr) accepting->accept_some();
  });
}

void Listener::Block::pause() {
  if (is_closing || std::exchange(is_paused, true)) return;
  uv_poll_stop(&poll);
  uv_timer_start(
      &retry,
      [](uv_timer_t* handle) {
        Block* block = static_cast<Block*>(handle->data);
        if (!std::exchange(block->is_paused, false)) return;
        block->watch();
      },
      kPauseMs, 0);
}

int Listener::fd() const { return block_ != nullptr ? block_->fd : -1; }

void Listener::resume() {
  if (block_ == nullptr || !std::exchange(block_->is_paused, false)) return;
  uv_timer_stop(&block_->retry);
  block_->watch();
}

void Listener::close() {
  if (block_ == nullptr) return;
  block_->is_closing = true;
  for (int rounds = 0; rounds < kBacklog / kAcceptsATurn && block_->accept_some(); ++rounds) {
  }
  block_.reset();
}

void Listener::CloseLater::operator()(Block* block) const noexcept {
  block->user = nullptr;
  const int fd = block->fd;
  const auto closed = [](uv_handle_t* handle) {
    Block* closing = static_cast<Block*>(handle->data);
    if (--closing->open_handles == 0) delete closing;
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&block->poll), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&block->retry), closed);
  ::close(fd);
}

Result<Listener> Listener::open(Loop& loop, const Address& address, PortSharing sharing, ListenerUser& user) {
  const auto inherited = take_inherited_socket(address);
  const auto fd = inherited ? Result<int>(*inherited) : bind_socket(address, sharing);
  if (!fd) return tl::unexpected(fd.error());
  if (::listen(*fd, kBacklog) != 0) {
    const int problem = errno;
    ::close(*fd);
    return bind_failure(problem);
  }
  auto block = std::make_unique<Block>();
  block->fd = *fd;
  block->loop = &loop;
  block->user = &user;
  block->poll.data = block->retry.data = block.get();
  if (const int problem = uv_poll_init_socket(loop.uv(), &block->poll, *fd); problem != 0) {
    ::close(*fd);
    return bind_failure(-problem);
  }
  uv_timer_init(loop.uv(), &block->retry);
  block->watch();
  Listener listener;
  listener.address_ = Address::local_of(*fd);
  listener.block_.reset(block.release());
  return listener;
}

Result<void> check_address_free(const Address& address) {
  if (has_inherited_socket(address)) return {};
  const auto fd = bind_socket(address, PortSharing::Alone);
  if (!fd) return tl::unexpected(fd.error());
  ::close(*fd);
  return {};
}

}  // namespace holdfast
