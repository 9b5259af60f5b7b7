#include "common/net/listener.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace holdfast {

struct Listener::Block {
  uv_tcp_t socket{};
  Loop* loop = nullptr;
  ListenerUser* user = nullptr;
};

namespace {

constexpr int kBacklog = 4096;

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

void Listener::CloseLater::operator()(Block* block) const noexcept {
  block->user = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&block->socket),
           [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
}

Result<Listener> Listener::open(Loop& loop, const Address& address, PortSharing sharing, ListenerUser& user) {
  const auto fd = bind_socket(address, sharing);
  if (!fd) return tl::unexpected(fd.error());
  Listener listener;
  listener.block_.reset(new Block);
  Block* block = listener.block_.get();
  block->socket.data = block;
  block->loop = &loop;
  block->user = &user;
  uv_tcp_init(loop.uv(), &block->socket);
  if (const int problem = uv_tcp_open(&block->socket, *fd); problem != 0) {
    ::close(*fd);
    return bind_failure(-problem);
  }
  listener.address_ = Address::local_of(*fd);
  const int problem = uv_listen(reinterpret_cast<uv_stream_t*>(&block->socket), kBacklog,
                                [](uv_stream_t* server, int status) noexcept {
                                  Block* accepting = static_cast<Block*>(server->data);
                                  if (status != 0 || accepting->user == nullptr) return;
                                  Stream stream(*accepting->loop);
                                  if (stream.accept(server)) accepting->user->on_accept(std::move(stream));
                                });
  if (problem != 0) return bind_failure(-problem);
  return listener;
}

Result<void> check_address_free(const Address& address) {
  const auto fd = bind_socket(address, PortSharing::Alone);
  if (!fd) return tl::unexpected(fd.error());
  ::close(*fd);
  return {};
}

}  // namespace holdfast
