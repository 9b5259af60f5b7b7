#include "common/net/stream.h"

#include "common/assert.h"

#include <array>
#include <cerrno>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace holdfast {

namespace {

/// Most messages are a head and a piece of body; nothing here writes more pieces than this at once.
constexpr std::size_t kPiecesMax = 8;

}  // namespace

/// What libuv may touch after the stream is gone: freed by the close callback alone.
struct Stream::Block {
  /// Only while a peer is slow, connecting or being said goodbye to: an idle connection has none.
  struct Pending {
    uv_connect_t connect{};
    uv_write_t write{};
    uv_shutdown_t shutdown{};
    std::string sending;  // libuv holds a view of it
    std::string unsent;   // collects behind it
    bool is_sending = false;
    bool is_finishing = false;
  };

  uv_tcp_t socket{};
  StreamUser* user = nullptr;  // null from the moment its owner lets go
  std::unique_ptr<Pending> pending;
  bool is_reading = false;
  bool is_dropped = false;

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket); }
  Loop& loop() { return *static_cast<Loop*>(socket.loop->data); }
  Pending& need_pending() {
    if (pending == nullptr) pending = std::make_unique<Pending>();
    return *pending;
  }
};

namespace {

Error broken(int status) {
  Code code = Code::Reset;
  std::string_view why = "the connection broke";
  switch (status) {
    case UV_ECONNREFUSED:
      code = Code::Refused;
      why = "connection refused";
      break;
    case UV_ETIMEDOUT:
      code = Code::Timeout;
      why = "the kernel gave up on the peer";
      break;
    case UV_ECONNRESET:
    case UV_EPIPE:
    case UV_ECONNABORTED:
      why = "connection reset by the peer";
      break;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_ENETDOWN:
    case UV_EADDRNOTAVAIL:
    case UV_EMFILE:
    case UV_ENFILE:
      code = Code::Unreachable;
      why = "no way to the peer";
      break;
    default:
      break;
  }
  return Error{.code = code, .side = Side::Self, .sys = status, .why = why};
}

}  // namespace

void Stream::CloseLater::operator()(Block* block) const noexcept {
  block->user = nullptr;
  block->is_dropped = true;
  uv_handle_t* handle = reinterpret_cast<uv_handle_t*>(&block->socket);
  if (uv_is_closing(handle) != 0) return;  // reset() came first: the callback frees it
  uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Block*>(closed->data); });
}

Stream::Stream(Loop& loop) : block_(new Block) {
  block_->socket.data = block_.get();
  HF_ASSERT(uv_tcp_init(loop.uv(), &block_->socket) == 0);
}

Result<void> Stream::accept(uv_stream_t* server) {
  if (const int problem = uv_accept(server, block_->stream()); problem != 0) {
    return tl::unexpected(broken(problem));
  }
  uv_tcp_nodelay(&block_->socket, 1);
  return {};
}

Result<void> Stream::connect(const Address& to) {
  Block::Pending& pending = block_->need_pending();
  pending.connect.data = block_.get();
  const int problem = uv_tcp_connect(&pending.connect, &block_->socket, to.raw(), [](uv_connect_t* request, int status) {
    Block* block = static_cast<Block*>(request->data);
    if (block->user == nullptr) return;
    StreamUser* user = block->user;
    if (status == 0) {
      block->pending.reset();
      user->on_connected();
      return;
    }
    user->on_broken(broken(status));
  });
  if (problem != 0) return tl::unexpected(broken(problem));
  uv_tcp_nodelay(&block_->socket, 1);
  return {};
}

void Stream::set_user(StreamUser* user) { block_->user = user; }

void Stream::start_reading() {
  if (block_->is_reading) return;
  block_->is_reading = true;
  uv_read_start(
      block_->stream(),
      [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
        const auto shared = static_cast<Block*>(handle->data)->loop().read_buffer();
        *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
      },
      [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
        Block* block = static_cast<Block*>(stream->data);
        if (block->user == nullptr || count == 0) return;
        if (count > 0) return block->user->on_bytes({buffer->base, static_cast<std::size_t>(count)});
        uv_read_stop(stream);
        block->is_reading = false;
        if (count == UV_EOF) return block->user->on_end_of_stream();
        block->user->on_broken(broken(static_cast<int>(count)));
      });
}

void Stream::stop_reading() {
  if (!block_->is_reading) return;
  block_->is_reading = false;
  uv_read_stop(block_->stream());
}

bool Stream::is_reading() const { return block_ != nullptr && block_->is_reading; }

Result<void> Stream::write(std::initializer_list<std::string_view> pieces) {
  HF_ASSERT(pieces.size() <= kPiecesMax);
  std::array<uv_buf_t, kPiecesMax> buffers;
  unsigned count = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    buffers[count++] = uv_buf_init(const_cast<char*>(piece.data()), static_cast<unsigned>(piece.size()));
  }
  if (count == 0) return {};
  std::size_t sent = 0;
  if (unsent_bytes() == 0) {
    const int outcome = uv_try_write(block_->stream(), buffers.data(), count);
    if (outcome < 0 && outcome != UV_EAGAIN) return tl::unexpected(broken(outcome));
    if (outcome > 0) sent = static_cast<std::size_t>(outcome);
  }
  for (unsigned i = 0; i < count; ++i) {
    if (sent >= buffers[i].len) {
      sent -= buffers[i].len;
      continue;
    }
    block_->need_pending().unsent.append(buffers[i].base + sent, buffers[i].len - sent);
    sent = 0;
  }
  if (block_->pending != nullptr && !block_->pending->is_sending && !block_->pending->unsent.empty()) {
    send_unsent(*block_);
  }
  return {};
}

void Stream::send_unsent(Block& block) {
  Block::Pending& pending = *block.pending;
  pending.sending.swap(pending.unsent);
  pending.unsent.clear();
  pending.is_sending = true;
  pending.write.data = &block;
  const uv_buf_t buffer = uv_buf_init(pending.sending.data(), static_cast<unsigned>(pending.sending.size()));
  const int problem = uv_write(&pending.write, block.stream(), &buffer, 1, [](uv_write_t* request, int status) {
    Block* sent = static_cast<Block*>(request->data);
    if (sent->user == nullptr) return;
    sent->pending->is_sending = false;
    sent->pending->sending.clear();
    if (status != 0) return sent->user->on_broken(broken(status));
    if (!sent->pending->unsent.empty()) return send_unsent(*sent);
    if (!sent->pending->is_finishing) sent->pending.reset();
    sent->user->on_drained();
  });
  HF_ASSERT(problem == 0);
}

std::size_t Stream::unsent_bytes() const {
  if (block_ == nullptr || block_->pending == nullptr) return 0;
  return uv_stream_get_write_queue_size(block_->stream()) + block_->pending->unsent.size();
}

void Stream::finish_writing() {
  Block::Pending& pending = block_->need_pending();
  if (pending.is_finishing) return;
  pending.is_finishing = true;
  if (!pending.unsent.empty() && !pending.is_sending) send_unsent(*block_);
  pending.shutdown.data = block_.get();
  uv_shutdown(&pending.shutdown, block_->stream(), [](uv_shutdown_t*, int) {});
}

void Stream::reset() {
  Block* block = block_.get();
  if (block == nullptr) return;
  block->user = nullptr;
  if (uv_tcp_close_reset(&block->socket, [](uv_handle_t* closed) { delete static_cast<Block*>(closed->data); }) != 0) {
    block_.reset();  // e.g. after finish_writing(): an ordinary close must do
    return;
  }
  static_cast<void>(block_.release());
}

Address Stream::peer() const {
  sockaddr_storage raw{};
  int bytes = sizeof raw;
  if (uv_tcp_getpeername(&block_->socket, reinterpret_cast<sockaddr*>(&raw), &bytes) != 0) return {};
  return Address::from(reinterpret_cast<const sockaddr*>(&raw));
}

int Stream::fd() const {
  uv_os_fd_t descriptor = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&block_->socket), &descriptor);
  return descriptor;
}

}  // namespace holdfast
