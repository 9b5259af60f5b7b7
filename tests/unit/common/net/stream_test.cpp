// How a stream ends, and what is known of what was written by then. The peer is a plain socket, driven step by step, so
// that what reaches the kernel first is no accident.
#include "common/net/stream.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

using namespace holdfast;

namespace {

constexpr std::size_t kLarge = 20'000;  // bytes: not kept for the end of the turn

class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(std::string_view bytes) {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Up to so many bytes; waits for the first.
  std::string read(std::size_t bytes) {
    std::string buffer(bytes, '\0');
    const ssize_t count = ::recv(fd_, buffer.data(), bytes, 0);
    buffer.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return buffer;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  int fd_;
};

/// A stream with its peer. It has exchanged a message each way, as a kept connection has: then ACKs are delayed.
class Connected : private StreamUser {
 public:
  Connected() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener, raw, bytes) == 0);
    REQUIRE(listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, raw, &bytes) == 0);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(fd, raw, bytes) == 0);
    peer_.emplace(accept(listener, nullptr, nullptr));
    ::close(listener);
    REQUIRE(::send(fd, "hello", 5, 0) == 5);
    REQUIRE(peer_->read(5) == "hello");
    peer_->send("hello");
    char hello[5];
    REQUIRE(::recv(fd, hello, 5, MSG_WAITALL) == 5);
    auto adopted = Stream::adopt(loop_, fd);
    REQUIRE(adopted);
    stream_ = std::move(*adopted);
    stream_.set_user(this);
    stream_.start_reading();
  }

  Stream& stream() { return stream_; }
  Peer& peer() { return *peer_; }
  void send_at_once(std::string_view bytes) { REQUIRE(::send(stream_.fd(), bytes.data(), bytes.size(), 0) > 0); }
  /// Turns the loop until the stream has ended, and says what came: `bytes`, then ` FIN` or ` broken`.
  const std::string& read_to_the_end() {
    while (!has_ended_) uv_run(loop_.uv(), UV_RUN_ONCE);
    return story_;
  }
  /// Sends what was written in this turn.
  void end_turn() { uv_run(loop_.uv(), UV_RUN_NOWAIT); }

 private:
  void on_bytes(std::span<const char> bytes) override { story_.append(bytes.data(), bytes.size()); }
  void on_end_of_stream() override { end(" FIN"); }
  void on_broken(const Error&) override {
    end(" broken");
    stream_.close();
  }
  void end(std::string_view how) {
    story_ += how;
    has_ended_ = true;
  }

  Loop loop_;
  std::optional<Peer> peer_;
  Stream stream_;
  std::string story_;
  bool has_ended_ = false;
};

}  // namespace

TEST_CASE("a reset that a write was told of first is not read as an end of stream") {
  for (const std::size_t size : {std::size_t{10}, kLarge}) {
    Connected connected;
    connected.peer().send("half of it");
    connected.peer().reset();
    static_cast<void>(connected.stream().write(std::string(size, 'x')));
    CHECK(connected.read_to_the_end() == "half of it broken");
  }
}

TEST_CASE("a reset that a look was told of first is not read as an end of stream") {
  for (const bool is_for_input : {false, true}) {
    Connected connected;
    connected.peer().reset();
    CHECK_FALSE((is_for_input ? connected.stream().has_input() : connected.stream().is_quiet()));
    CHECK(connected.read_to_the_end() == " broken");
  }
}

TEST_CASE("a reset that the rest of an unsent message was told of is not read as an end of stream") {
  Connected connected;
  static_cast<void>(connected.stream().write(std::string(20'000'000, 'x')));
  REQUIRE(connected.stream().unsent_bytes() > 0);
  connected.peer().send("half of it");
  connected.peer().reset();
  CHECK(connected.read_to_the_end() == "half of it broken");
}

TEST_CASE("an end of stream stays one if a reset follows it") {
  Connected connected;
  connected.peer().send("all of it");
  connected.peer().close();
  connected.send_at_once("the peer answers this with a reset");
  CHECK_FALSE(connected.stream().write(std::string(kLarge, 'x')));  // and this is told of it
  CHECK(connected.read_to_the_end() == "all of it FIN");
}

TEST_CASE("a stream that looks before it writes sends nothing if there is something to read") {
  for (const std::size_t size : {std::size_t{10}, kLarge}) {
    for (const bool has_bytes : {false, true}) {
      Connected connected;
      connected.stream().look_before_writing();
      if (has_bytes) connected.peer().send("unasked");
      connected.peer().half_close();
      static_cast<void>(connected.stream().write(std::string(size, 'x')));
      static_cast<void>(connected.stream().write("more"));
      CHECK(connected.read_to_the_end() == (has_bytes ? "unasked FIN" : " FIN"));
      CHECK(connected.stream().delivery(size + 4) == Delivery::Withheld);
      connected.stream().close();
      CHECK(connected.peer().read(1).empty());
    }
  }
}

TEST_CASE("a stream that looks before it writes looks once, and sends if there is nothing to read") {
  Connected connected;
  connected.stream().look_before_writing();
  static_cast<void>(connected.stream().write("first"));
  connected.end_turn();
  CHECK(connected.peer().read(10) == "first");
  connected.peer().half_close();
  static_cast<void>(connected.stream().write("second"));
  connected.end_turn();
  CHECK(connected.peer().read(10) == "second");
}

TEST_CASE("bytes that a stream gave up on are never sent, not even when it closes") {
  Connected connected;
  REQUIRE(connected.stream().write("not this"));
  connected.stream().give_up_writing();
  CHECK(connected.stream().delivery(8) == Delivery::Withheld);
  CHECK_FALSE(connected.stream().write("nor this"));
  connected.stream().close();
  CHECK(connected.peer().read(1).empty());
}

TEST_CASE("bytes that the kernel refused at once count as withheld, unless some were sent before") {
  Connected connected;
  connected.peer().reset();
  CHECK_FALSE(connected.stream().write(std::string(kLarge, 'x')));
  CHECK(connected.stream().delivery(kLarge) == Delivery::Withheld);
  CHECK(connected.stream().delivery(kLarge + 1) == Delivery::Unknown);
}

TEST_CASE("what was sent counts as rejected only if FIN and then a reset came, and no acknowledgement") {
  SUBCASE("FIN, then a reset") {
    Connected connected;
    connected.peer().close();
    connected.send_at_once("request");
    connected.read_to_the_end();
    CHECK(connected.stream().delivery(7) == Delivery::Rejected);
    CHECK(connected.stream().delivery(6) == Delivery::Unknown);
  }
  SUBCASE("FIN, then a reset that a write was told of") {
    Connected connected;
    connected.peer().close();
    connected.send_at_once("request");
    CHECK_FALSE(connected.stream().write(std::string(kLarge, 'x')));
    connected.read_to_the_end();
    CHECK(connected.stream().delivery(7 + kLarge) == Delivery::Rejected);
  }
  SUBCASE("FIN, and no reset so far") {
    Connected connected;
    connected.peer().half_close();
    connected.send_at_once("request");
    connected.read_to_the_end();
    CHECK(connected.stream().delivery(7) == Delivery::Pending);
  }
  SUBCASE("a FIN that acknowledges it") {
    Connected connected;
    connected.send_at_once("request");
    connected.peer().half_close();
    connected.read_to_the_end();
    CHECK(connected.stream().delivery(7) == Delivery::Unknown);
  }
  SUBCASE("a reset without FIN, which the write of the rest was told of") {
    Connected connected;
    connected.send_at_once("request");
    REQUIRE(connected.peer().read(7) == "request");
    connected.peer().reset();
    CHECK_FALSE(connected.stream().write(std::string(kLarge, 'x')));
    CHECK(connected.stream().delivery(7 + kLarge) == Delivery::Unknown);
  }
}

TEST_CASE("what this host is short of is a shortage, and not the peer's doing") {
  for (const int error_number : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN}) {
    CAPTURE(error_number);
    CHECK(stream_error(error_number).code == Code::Shortage);
    CHECK(stream_error(error_number).side == Side::Self);
  }
  CHECK(stream_error(ECONNREFUSED).code == Code::Refused);
  CHECK(stream_error(ECONNRESET).code == Code::Reset);
  CHECK(stream_error(EHOSTUNREACH).code == Code::Unreachable);
}
