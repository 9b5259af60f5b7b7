#include "common/loop/loop.h"

#include "common/loop/timeouts.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <chrono>
#include <thread>

using namespace holdfast;
using namespace std::chrono_literals;

TEST_CASE("a stop that nobody waits for any more does not keep a loop from letting go of what was dropped") {
  Loop loop;
  { const Timeouts timeouts(loop); }  // its timer is being closed
  loop.stop();
}  // its destructor asserts that nothing is left

TEST_CASE("the end of a loop destroys what was retired, and runs nothing that was put off: its owner may be gone") {
  struct Retired {
    explicit Retired(bool& flag) : is_gone(flag) {}
    ~Retired() { is_gone = true; }
    bool& is_gone;
  };
  bool has_run = false;
  bool is_gone = false;
  {
    Loop loop;
    loop.defer(&has_run, [](void* flag) { *static_cast<bool*>(flag) = true; });
    loop.retire(std::make_unique<Retired>(is_gone));
  }
  CHECK(is_gone);
  CHECK_FALSE(has_run);
}

TEST_CASE("what is in a socket already wins over a time-out, however late the turn") {
  struct Peer {
    explicit Peer(Loop& its_loop) : loop(its_loop), timeouts(its_loop) {}
    void on_timeout() {
      has_timed_out = true;
      loop.stop();
    }
    Loop& loop;
    Timeouts timeouts;
    Timeout timeout = Timeout::calling<&Peer::on_timeout>(this);
    bool has_timed_out = false;
    bool has_read = false;
  };
  Loop loop;
  Peer peer(loop);
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
  uv_poll_t poll{};
  REQUIRE(uv_poll_init(loop.uv(), &poll, ends[0]) == 0);
  poll.data = &peer;
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* its = static_cast<Peer*>(handle->data);
    its->has_read = true;
    its->timeout.disarm();
    its->loop.stop();
  });
  peer.timeouts.arm(peer.timeout, 1ms);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  std::this_thread::sleep_for(20ms);  // the loop has no turn
  loop.run();
  CHECK(peer.has_read);
  CHECK_FALSE(peer.has_timed_out);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll), nullptr);
  uv_run(loop.uv(), UV_RUN_NOWAIT);
  ::close(ends[0]);
  ::close(ends[1]);
}
