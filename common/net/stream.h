// A TCP stream on a loop: reads into the loop's shared buffer, writes at once, keeps only what a slow peer leaves.
// Thread: the loop's.
#pragma once

#include "common/loop/loop.h"
#include "common/net/address.h"
#include "common/result.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast {

/// What an error of a socket means; `error_number` as in errno.
Error stream_error(int error_number);

/// Told what happens on a stream. Its functions may close the stream, yet must not destroy themselves: retire.
class StreamUser {
 public:
  /// Bytes came. The view dies with this call.
  virtual void on_bytes(std::span<const char> bytes) = 0;
  /// The peer's FIN was read, so all that it sent has come; it may still read. Never called after a reset, even if a
  /// write was told of the reset first.
  virtual void on_end_of_stream() = 0;
  /// The connection broke, or never came about: close the stream, it is of no more use. If the stream was not reading,
  /// bytes that came before may still be unread; start_reading() delivers them, and then tells of the break again.
  virtual void on_broken(const Error& error) = 0;
  /// The kernel does not take all that was written: from now on unsent_bytes() is not 0, until on_drained(). May come
  /// from inside write(): only take note.
  virtual void on_unsent() {}
  /// What write() had left over has gone out.
  virtual void on_drained() {}
  /// connect() succeeded.
  virtual void on_connected() {}

 protected:
  ~StreamUser() = default;
};

/// What is known of how much of something written has reached the peer. See docs/retry.md for what each value proves.
enum class Delivery {
  Withheld,  // The kernel was handed no byte of it.
  Rejected,  // The peer sent FIN, then reset the connection, and acknowledged no byte of it.
  Pending,   // The peer sent FIN and has acknowledged no byte of it so far.
  Unknown,   // The peer acknowledged some of it, or the kernel cannot tell.
};

/// Owns a socket. Closing or destroying it is safe at any time: what libuv may still touch lives on by itself.
class Stream {
 public:
  Stream() = default;  // closed

  /// Takes over a connected, non-blocking socket; it is closed where that fails.
  static Result<Stream> adopt(Loop& loop, int fd);
  /// Begins to connect; on_connected() or on_broken() follows, never from inside this call. On loopback a refusal is
  /// known at once: then it is the error returned.
  static Result<Stream> connect(Loop& loop, const Address& to, StreamUser* user);

  void set_user(StreamUser* user);
  bool is_open() const { return block_ != nullptr; }

  /// Both do nothing when called twice. Without reading, neither bytes nor the end of the stream are seen.
  void start_reading();
  void stop_reading();
  bool is_reading() const;

  /// Sends the pieces in order: small ones at the end of this turn, beside the others' of the loop; large ones at once.
  /// What the kernel does not take is copied and goes out later. An error means that the connection is broken;
  /// on_broken() is not called for it. A break that is found later is told by on_broken().
  Result<void> write(std::initializer_list<std::string_view> pieces);
  Result<void> write(std::string_view bytes) { return write({bytes}); }
  /// The next bytes are handed to the kernel only if there is nothing to read at that moment: no byte, no end of stream
  /// and no error. Otherwise they, and all that is written later, never go out, and reading tells what came.
  void look_before_writing();
  /// From now on the kernel is handed nothing more, neither what is unsent nor what waits for the end of this turn.
  void give_up_writing();
  /// Bytes that the kernel did not take: the peer is slow.
  std::size_t unsent_bytes() const;
  /// Bytes that the peer has acknowledged, ever. Asks the kernel.
  std::uint64_t taken_bytes() const;
  /// Bytes that were written and not handed to the kernel, or not yet.
  std::size_t withheld_bytes() const;
  /// How much of the last `bytes` written has reached the peer, as far as the kernel knows. Asks the kernel.
  Delivery delivery(std::size_t bytes) const;
  /// Sends FIN after what is unsent. Reading goes on.
  void finish_writing();

  /// Closes; what is unsent is lost.
  void close() { block_.reset(); }
  /// Closes with RST, so that the peer cannot take what it has for the whole.
  void reset();

  /// True where the kernel has bytes that were not read yet. Asks it.
  bool has_input() const;
  /// Returns true if there is nothing to read: no byte, no end of stream, no error. Asks the kernel.
  bool is_quiet() const;

  Address peer() const;
  /// The descriptor, for questions to the kernel.
  int fd() const;

 private:
  struct Block;
  struct CloseLater {
    void operator()(Block* block) const noexcept;
  };

  static Result<Stream> open(Loop& loop, int fd);

  std::unique_ptr<Block, CloseLater> block_;
};

}  // namespace holdfast
