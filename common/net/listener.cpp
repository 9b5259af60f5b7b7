#include "common/net/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace holdfast {

struct Listener::Block {
  uv_poll_t poll{};
  int fd = -1;
  int reserve_fd = -1;  // given up for a moment where there is no other descriptor left
  Loop* loop = nullptr;
  ListenerUser* user = nullptr;

  /// False where no more connections wait.
  bool accept_some();
};

namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsATurn = 64;

tl::unexpected<Error> bind_failure(int error_number) {
  switch (error_number) {
    case EADDRINUSE:
      return failure(Code::AddressInUse, Side::Self, "somebody else listens there", -error_number);
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
  if (::bind(fd, address.raw(), address.raw_bytes()) == 0) return fd;
  const int error_number = errno;
  ::close(fd);
  return bind_failure(error_number);
}

}  // namespace

bool Listener::Block::accept_some() {
  // A bounded number, so that a flood of clients does not starve those who are being served.
  for (int i = 0; i < kAcceptsATurn && user != nullptr; ++i) {
    const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      auto stream = Stream::adopt(*loop, accepted);
      if (stream) user->on_accept(std::move(*stream));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return false;
    // Out of descriptors: the waiting connection would be reported again and again. It is taken and closed, so that
    // its client knows.
    ::close(reserve_fd);
    ::close(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
    reserve_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  return true;
}

void Listener::close() {
  if (block_ == nullptr) return;
  for (int rounds = 0; rounds < kBacklog / kAcceptsATurn && block_->accept_some(); ++rounds) {
  }
  block_.reset();
}

void Listener::CloseLater::operator()(Block* block) const noexcept {
  block->user = nullptr;
  const int fd = block->fd;
  ::close(block->reserve_fd);
  uv_close(reinterpret_cast<uv_handle_t*>(&block->poll),
           [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
  ::close(fd);
}

Result<Listener> Listener::open(Loop& loop, const Address& address, PortSharing sharing, ListenerUser& user) {
  const auto fd = bind_socket(address, sharing);
  if (!fd) return tl::unexpected(fd.error());
  if (::listen(*fd, kBacklog) != 0) {
    const int problem = errno;
    ::close(*fd);
    return bind_failure(problem);
  }
  auto block = std::make_unique<Block>();
  block->fd = *fd;
  block->reserve_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  block->loop = &loop;
  block->user = &user;
  block->poll.data = block.get();
  if (const int problem = uv_poll_init_socket(loop.uv(), &block->poll, *fd); problem != 0) {
    ::close(block->reserve_fd);
    ::close(*fd);
    return bind_failure(-problem);
  }
  uv_poll_start(&block->poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    Block* accepting = static_cast<Block*>(handle->data);
    if (accepting->user != nullptr) accepting->accept_some();
  });
  Listener listener;
  listener.address_ = Address::local_of(*fd);
  listener.block_.reset(block.release());
  return listener;
}

Result<void> check_address_free(const Address& address) {
  const auto fd = bind_socket(address, PortSharing::Alone);
  if (!fd) return tl::unexpected(fd.error());
  ::close(*fd);
  return {};
}

}  // namespace holdfast
