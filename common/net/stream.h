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

/// Told what happens on a stream. Its functions may close the stream, yet must not destroy themselves: retire.
class StreamUser {
 public:
  /// Bytes came. The view dies with this call.
  virtual void on_bytes(std::span<const char> bytes) = 0;
  /// The peer sends no more (FIN); it may still read.
  virtual void on_end_of_stream() = 0;
  /// The connection broke, or never came about: close the stream, it is of no more use.
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

/// What is known of how much of something written the peer has taken.
enum class Delivery {
  None,       // the kernel proves that it took no byte, and never will
  Unsettled,  // it took none so far
  Some,       // it took some, or that cannot be told
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
  /// Bytes that the kernel did not take: the peer is slow.
  std::size_t unsent_bytes() const;
  /// Bytes that the peer has acknowledged, ever. Asks the kernel.
  std::uint64_t taken_bytes() const;
  /// How much of the last `bytes` written the peer has taken, as far as the kernel knows. None where it has
  /// acknowledged no byte of them and the connection has been reset since. That counts only if the peer's end of stream
  /// was read before: a reset alone may follow upon bytes that were read.
  Delivery delivery(std::size_t bytes) const;
  /// Sends FIN after what is unsent. Reading goes on.
  void finish_writing();

  /// Closes; what is unsent is lost.
  void close() { block_.reset(); }
  /// Closes with RST, so that the peer cannot take what it has for the whole.
  void reset();

  /// True where the kernel has bytes that were not read yet. Asks it.
  bool has_input() const;

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
