// uv_poll and plain recv/send instead of uv_tcp: a request passes here four times, and read() and write() go through
// the kernel's file layer first. Measured on a proxied 302: docs/bench/lb.md.
#include "common/net/stream.h"

#include "common/assert.h"
#include "common/memory/release.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

namespace holdfast {
namespace {

/// Most messages are a head and a piece of body; nothing here writes more pieces than this at once.
constexpr std::size_t kPiecesMax = 8;
/// Up to this size a message waits for the end of the turn; a larger one is not worth the copy.
constexpr std::size_t kTurnBytesMax = 16 * 1024;
/// So much of what a slow peer has taken already may lie before what it has yet to take.
constexpr std::size_t kTakenMax = 64 * 1024;

bool would_block(int error_number) { return error_number == EAGAIN || error_number == EWOULDBLOCK; }

int pending_error(int fd) {
  int error_number = 0;
  socklen_t bytes = sizeof error_number;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &bytes);
  return error_number;
}

}  // namespace

Error stream_error(int error_number) {
  Code code = Code::Reset;
  std::string_view why = "the connection broke";
  switch (error_number) {
    case ECONNREFUSED:
      code = Code::Refused;
      why = "connection refused";
      break;
    case ETIMEDOUT:
      code = Code::Timeout;
      why = "the kernel gave up on the peer";
      break;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      why = "connection reset by the peer";
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
      code = Code::Unreachable;
      why = "no way to the peer";
      break;
    case EMFILE:
    case ENFILE:
      code = Code::Shortage;
      why = "out of file descriptors";
      break;
    case EADDRNOTAVAIL:
    case EAGAIN:  // of connect(2)
      code = Code::Shortage;
      why = "out of local ports";
      break;
    case ENOBUFS:
    case ENOMEM:
      code = Code::Shortage;
      why = "out of memory for sockets";
      break;
    default:
      break;
  }
  return Error{.code = code, .side = Side::Self, .sys = -error_number, .why = why};
}

/// What libuv may touch after the stream is gone: freed by the close callback alone.
struct Stream::Block final : TurnWriter {
  uv_poll_t poll{};
  int fd = -1;
  bool is_connecting = false;
  bool is_reading = false;
  bool is_finishing = false;      // FIN is owed once unsent is empty
  bool is_guarded = false;        // the next bytes go out only if is_quiet()
  bool is_refusing = false;       // no byte goes out any more
  bool has_ended = false;         // the peer's FIN was read
  int error = 0;                  // the first one of this connection
  std::size_t refused_bytes = 0;  // written, and never handed to the kernel
  StreamUser* user = nullptr;     // null from the moment its owner lets go
  std::string unsent;             // empty unless the peer is slow
  std::size_t unsent_from = 0;
  std::uint64_t sent = 0;

  Loop& loop() { return *static_cast<Loop*>(poll.loop->data); }
  bool has_unsent() const { return unsent_from < unsent.size(); }
  std::size_t unsent_bytes() const { return unsent.size() - unsent_from; }

  /// The kernel reports an error once, to whichever call comes first; after that, recv() returns 0 as after a FIN.
  void latch(int error_number) {
    if (error == 0) error = error_number;
  }
  /// The kernel reports a reset as EPIPE if the peer's FIN came before it, otherwise as ECONNRESET.
  bool is_reset_after_fin() const { return error == EPIPE; }

  /// Returns true if there is nothing to read: no byte, no end of stream, no error.
  bool is_quiet() {
    char byte;
    if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) return false;
    if (would_block(errno) || errno == EINTR) return true;
    latch(errno);
    return false;
  }

  /// Calls `send`, which hands bytes to the kernel. Returns how many it took, or nothing if none will go out any more.
  template <class Send>
  std::optional<std::size_t> hand_over(Send send) {
    if (std::exchange(is_guarded, false) && !is_quiet()) is_refusing = true;
    if (is_refusing) return std::nullopt;
    const ssize_t count = send();
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      return static_cast<std::size_t>(count);
    }
    if (would_block(errno) || errno == EINTR) return 0;
    latch(errno);
    is_refusing = true;
    return std::nullopt;
  }

  void watch() {
    const bool is_writable_wanted = is_connecting || has_unsent() || (error != 0 && !is_reading);
    const int events = (is_reading ? UV_READABLE : 0) | (is_writable_wanted ? UV_WRITABLE : 0);
    if (events == 0) {
      uv_poll_stop(&poll);
      return;
    }
    uv_poll_start(&poll, events, [](uv_poll_t* handle, int status, int ready) {
      static_cast<Block*>(handle->data)->on_ready(status, ready);
    });
  }

  /// A negative status is an error on the socket, and libuv has stopped watching it. What came before the error is
  /// still to be read: the error itself is then what recv() says.
  void on_ready(int status, int ready) {
    if (user == nullptr) return;
    if (is_connecting) return finish_connecting();
    if (error != 0 && !is_reading) {
      uv_poll_stop(&poll);
      return user->on_broken(stream_error(error));
    }
    if (status < 0) return read_to_the_end();
    if ((ready & UV_WRITABLE) != 0) send_unsent();
    if (user != nullptr && is_reading && (ready & UV_READABLE) != 0) read_once();
  }

  void finish_connecting() {
    is_connecting = false;
    latch(pending_error(fd));
    if (error != 0) return user->on_broken(stream_error(error));
    watch();
    user->on_connected();
  }

  /// True where there may be more.
  bool read_once() {
    const auto buffer = loop().read_buffer();
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      user->on_bytes(buffer.first(static_cast<std::size_t>(count)));
      return true;
    }
    if (count < 0 && (would_block(errno) || errno == EINTR)) return false;
    if (count < 0) latch(errno);
    has_ended = count == 0 && (error == 0 || is_reset_after_fin());
    is_reading = false;
    watch();
    if (has_ended) {
      user->on_end_of_stream();
    } else {
      user->on_broken(stream_error(error));
    }
    return false;
  }

  void read_to_the_end() {
    const bool was_reading = is_reading;
    while (user != nullptr && is_reading && read_once()) {
    }
    if (user == nullptr || (was_reading && !is_reading)) return;  // told of the end, or paused meanwhile
    latch(pending_error(fd));
    user->on_broken(stream_error(error));  // nobody reads: nobody would hear of it otherwise
  }

  /// At the end of the turn. An error is not told here: the poll, or the next read, will tell; and where nobody reads
  /// any more, being writable, which a broken socket always is.
  void send_now(std::string_view bytes) override {
    const auto taken = hand_over([this, bytes] { return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (taken) return keep(bytes.substr(*taken));
    refused_bytes += bytes.size();
    if (user != nullptr && !is_reading) watch();
  }

  void append(std::string_view bytes) {
    // A peer that takes as fast as more comes is never done: what it took must not stay for ever.
    if (unsent_from >= kTakenMax) {
      unsent.erase(0, unsent_from);
      unsent_from = 0;
    }
    unsent += bytes;
  }

  void keep(std::string_view rest) {
    if (rest.empty()) return;
    const bool was_empty = !has_unsent();
    append(rest);
    if (!was_empty) return;
    watch();
    if (user != nullptr) user->on_unsent();
  }

  void send_unsent() {
    loop().output().before_sending();
    const auto taken =
        hand_over([this] { return ::send(fd, unsent.data() + unsent_from, unsent_bytes(), MSG_NOSIGNAL); });
    if (!taken) return refuse_unsent();
    unsent_from += *taken;
    if (has_unsent()) return;
    release(unsent);
    unsent_from = 0;
    if (is_finishing) ::shutdown(fd, SHUT_WR);
    watch();
    user->on_drained();
  }

  /// What the peer sent before may still be read, and reading tells how it ended. If nobody reads, on_ready() tells.
  void refuse_unsent() {
    refused_bytes += unsent_bytes();
    release(unsent);
    unsent_from = 0;
    watch();
  }
};

void Stream::CloseLater::operator()(Block* block) const noexcept {
  block->user = nullptr;
  block->loop().output().flush(*block);
  const int fd = block->fd;
  uv_close(reinterpret_cast<uv_handle_t*>(&block->poll),
           [](uv_handle_t* closed) { delete static_cast<Block*>(closed->data); });
  ::close(fd);  // uv_close() has made libuv forget the descriptor: its number may be used again
}

Result<Stream> Stream::open(Loop& loop, int fd) {
  auto block = std::make_unique<Block>();
  block->fd = fd;
  block->poll.data = block.get();
  if (const int problem = uv_poll_init_socket(loop.uv(), &block->poll, fd); problem != 0) {
    ::close(fd);
    return tl::unexpected(stream_error(-problem));
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Stream stream;
  stream.block_.reset(block.release());
  return stream;
}

Result<Stream> Stream::adopt(Loop& loop, int fd) { return open(loop, fd); }

Result<Stream> Stream::connect(Loop& loop, const Address& to, StreamUser* user) {
  const int fd = ::socket(to.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tl::unexpected(stream_error(errno));
  if (::connect(fd, to.raw(), to.raw_bytes()) != 0 && errno != EINPROGRESS) {
    const int problem = errno;
    ::close(fd);
    return tl::unexpected(stream_error(problem));
  }
  auto stream = open(loop, fd);
  if (!stream) return stream;
  stream->block_->user = user;
  stream->block_->is_connecting = true;
  stream->block_->watch();
  return stream;
}

void Stream::set_user(StreamUser* user) { block_->user = user; }

void Stream::start_reading() {
  if (block_->is_reading) return;
  block_->is_reading = true;
  block_->watch();
}

void Stream::stop_reading() {
  if (!block_->is_reading) return;
  block_->is_reading = false;
  block_->watch();
}

bool Stream::is_reading() const { return block_ != nullptr && block_->is_reading; }

Result<void> Stream::write(std::initializer_list<std::string_view> pieces) {
  HF_ASSERT(pieces.size() <= kPiecesMax);
  std::array<iovec, kPiecesMax> buffers;
  std::size_t count = 0;
  std::size_t total = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    buffers[count++] = {.iov_base = const_cast<char*>(piece.data()), .iov_len = piece.size()};
    total += piece.size();
  }
  if (count == 0) return {};
  const auto refused = [this, total]() -> Result<void> {
    block_->refused_bytes += total;
    return tl::unexpected(stream_error(block_->error));
  };
  if (block_->is_refusing) return refused();
  TurnOutput& output = block_->loop().output();
  if (block_->has_unsent()) {
    for (const std::string_view piece : pieces) block_->append(piece);
    return {};
  }
  if (output.waiting(*block_) + total <= kTurnBytesMax) {
    output.add(*block_, pieces);
    return {};
  }
  output.flush(*block_);  // what came before goes before
  msghdr message{};
  message.msg_iov = buffers.data();
  message.msg_iovlen = count;
  const auto outcome = block_->has_unsent() ? std::optional<std::size_t>(0) : block_->hand_over([this, &message] {
    return ::sendmsg(block_->fd, &message, MSG_NOSIGNAL);
  });
  if (!outcome) return refused();
  std::size_t taken = *outcome;
  for (const std::string_view piece : pieces) {
    const std::size_t skipped = std::min(taken, piece.size());
    taken -= skipped;
    block_->keep(piece.substr(skipped));
  }
  return {};
}

void Stream::look_before_writing() { block_->is_guarded = true; }

void Stream::give_up_writing() {
  TurnOutput& output = block_->loop().output();
  block_->refused_bytes += output.waiting(*block_);
  output.withdraw(*block_);
  block_->is_refusing = true;
  block_->refuse_unsent();
}

std::size_t Stream::unsent_bytes() const { return block_ == nullptr ? 0 : block_->unsent_bytes(); }

std::size_t Stream::withheld_bytes() const {
  return block_->loop().output().waiting(*block_) + block_->refused_bytes + block_->unsent_bytes();
}

std::uint64_t Stream::taken_bytes() const {
  int queued = 0;
  if (block_ == nullptr || ::ioctl(block_->fd, SIOCOUTQ, &queued) != 0) return 0;
  const auto queued_bytes = static_cast<std::uint64_t>(queued);  // a FIN counts there as well
  return block_->sent - std::min(block_->sent, queued_bytes);
}

bool Stream::has_input() const {
  char byte;
  if (block_ == nullptr) return false;
  const ssize_t count = ::recv(block_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && !would_block(errno) && errno != EINTR) block_->latch(errno);
  return count > 0;
}

bool Stream::is_quiet() const { return block_->is_quiet(); }

Delivery Stream::delivery(std::size_t bytes) const {
  const std::size_t withheld = withheld_bytes();
  if (withheld == bytes) return Delivery::Withheld;
  int unacknowledged = 0;
  if (!block_->has_ended || ::ioctl(block_->fd, SIOCOUTQ, &unacknowledged) != 0) return Delivery::Unknown;
  if (withheld + static_cast<std::size_t>(unacknowledged) != bytes) return Delivery::Unknown;
  block_->latch(pending_error(block_->fd));
  if (block_->is_reset_after_fin()) return Delivery::Rejected;
  return block_->error == 0 ? Delivery::Pending : Delivery::Unknown;
}

void Stream::finish_writing() {
  block_->loop().output().flush(*block_);
  if (std::exchange(block_->is_finishing, true) || block_->has_unsent()) return;
  ::shutdown(block_->fd, SHUT_WR);
}

void Stream::reset() {
  if (block_ == nullptr) return;
  block_->loop().output().withdraw(*block_);
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(block_->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  block_.reset();
}

Address Stream::peer() const {
  sockaddr_storage raw{};
  socklen_t bytes = sizeof raw;
  if (getpeername(block_->fd, reinterpret_cast<sockaddr*>(&raw), &bytes) != 0) return {};
  return Address::from(reinterpret_cast<const sockaddr*>(&raw));
}

int Stream::fd() const { return block_->fd; }

}  // namespace holdfast
