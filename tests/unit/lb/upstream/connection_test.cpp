// What becomes of a request on a kept connection that its server ends, or speaks on, before the request leaves. The
// server is a plain socket, driven step by step.
#include "common/loop/mailbox.h"
#include "lb/upstream/endpoint.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <optional>
#include <string>
#include <utility>

using namespace holdfast;
using namespace holdfast::lb;

namespace {

constexpr std::string_view kRequest = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 8) == 0);
  return listener;
}

/// A kept connection of an endpoint, and its server's end.
class Kept : private ResponseReceiver {
 public:
  Kept() {
    connection_ = endpoint_.make();
    REQUIRE_FALSE(connection_->connect(*this));
    server_ = accept(listener_, nullptr, nullptr);
    const int on = 1;
    setsockopt(server_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // what is said has come when say() returns
    turn_until(is_connected_);
    connection_->begin(*this, {.method = Method::Post});
    REQUIRE(connection_->write({kRequest}));
    loop_turn();
    CHECK(read() == kRequest);
    say(kResponse);
    turn_until(has_ended_);
    REQUIRE(connection_->is_reusable());
    endpoint_.give(std::move(connection_));
    has_ended_ = has_head_ = false;
    loop_turn();  // the kernel lists what was ready last time first, ready or not
  }
  ~Kept() {
    let_go();
    endpoint_.close_idle();
    loop_.settle();
    ::close(server_);
    ::close(listener_);
  }

  /// Takes the connection and writes a request, in the poll phase of the loop's next turn: input that comes after this
  /// call and before turn() is seen later in the same turn.
  void ask_next_turn(const UpstreamConnection::Asked& asked) {
    inbox_.post([this, asked] {
      connection_ = endpoint_.take_idle();
      REQUIRE(connection_ != nullptr);
      connection_->begin(*this, asked);
      static_cast<void>(connection_->write({kRequest}));
    });
  }
  /// Takes the connection and writes a request, to be sent before the loop looks for input.
  void ask_now(const UpstreamConnection::Asked& asked) {
    connection_ = endpoint_.take_idle();
    REQUIRE(connection_ != nullptr);
    connection_->begin(*this, asked);
    static_cast<void>(connection_->write({kRequest}));
  }

  void say(std::string_view bytes) {
    REQUIRE(send(server_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void half_close() { shutdown(server_, SHUT_WR); }
  void close() { ::close(std::exchange(server_, -1)); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(server_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  /// What has come; waits for the first byte or the end.
  std::string read() {
    char buffer[1000];
    const ssize_t count = recv(server_, buffer, sizeof buffer, 0);
    return {buffer, count < 0 ? 0 : static_cast<std::size_t>(count)};
  }

  std::optional<AttemptResult> result_of_turns() {
    while (!result_ && !has_ended_) loop_turn();
    return result_;
  }
  bool has_head() const { return has_head_; }
  bool has_ended() const { return has_ended_; }
  UpstreamConnection& connection() { return *connection_; }
  void let_go() {
    if (connection_ != nullptr) endpoint_.drop(std::move(connection_));
  }
  void loop_turn() { uv_run(loop_.uv(), UV_RUN_NOWAIT); }

 private:
  void turn_until(const bool& is_met) {
    while (!is_met) loop_turn();
  }
  void on_connected() override { is_connected_ = true; }
  void on_head(const ResponseHead&) override { has_head_ = true; }
  void on_end() override { has_ended_ = true; }
  void on_failed(AttemptResult result) override {
    result_ = result;
    let_go();
  }
  void on_interim(const ResponseHead&) override {}
  void on_body(std::string_view) override {}
  void on_trailers(std::span<const Field>) override {}
  void on_upgrade(const ResponseHead&) override {}
  void on_tunnel_end() override {}
  void on_server_out() override {}
  void on_request_drained() override {}

  Loop loop_;
  Mailbox inbox_{loop_};
  Timeouts timeouts_{loop_};
  TimeoutClass& timeouts_idle_ = timeouts_.add_class();
  const ConnectionSettings settings_;
  HeadScratch scratch_;
  int listener_ = listen_on_loopback();
  int server_ = -1;
  Server record_{{.name = "a", .authority = "a", .address = Address::local_of(listener_)}, 1};
  Endpoint endpoint_{loop_, timeouts_idle_, settings_, ParserLimits{}, scratch_, record_, 0};
  std::unique_ptr<UpstreamConnection> connection_;
  bool is_connected_ = false;
  bool has_head_ = false;
  bool has_ended_ = false;
  std::optional<AttemptResult> result_;
};

}  // namespace

TEST_CASE("a request that may not be repeated does not leave if its connection ended a moment before") {
  Kept kept;
  kept.ask_now({.method = Method::Post, .looks_first = true});
  kept.half_close();
  CHECK(kept.result_of_turns() == AttemptResult::Undelivered);
  CHECK(kept.read().empty());  // else a server that half-closed would execute what is now sent to another one
}

TEST_CASE("a request whose connection ends in the turn in which it was written is taken back") {
  Kept kept;
  kept.ask_next_turn({.method = Method::Get});
  kept.half_close();
  CHECK(kept.result_of_turns() == AttemptResult::Undelivered);
  CHECK(kept.read().empty());
}

TEST_CASE("bytes that came before a request left are not its response") {
  for (const bool looks_first : {false, true}) {
    Kept kept;
    if (looks_first) {
      kept.ask_now({.method = Method::Post, .looks_first = true});
    } else {
      kept.ask_next_turn({.method = Method::Get});
    }
    kept.say(kResponse);
    CHECK(kept.result_of_turns() == AttemptResult::Undelivered);
    CHECK_FALSE(kept.has_head());
    CHECK(kept.read().empty());
  }
}

TEST_CASE("a request that a closed server answered with a reset counts as undelivered only if resets are trusted") {
  for (const bool trusts_reset : {false, true}) {
    Kept kept;
    kept.ask_now({.method = Method::Post, .trusts_reset = trusts_reset});
    kept.close();
    CHECK(kept.result_of_turns() == (trusts_reset ? AttemptResult::Undelivered : AttemptResult::ClosedIdle));
  }
}

TEST_CASE(
    "a response that came whole before a reset is read whole, though a write told of the reset while it was paused") {
  Kept kept;
  kept.ask_now({.method = Method::Post});
  kept.loop_turn();
  CHECK(kept.read() == kRequest);
  kept.say(kResponse.substr(0, kResponse.size() - 1));
  while (!kept.has_head()) kept.loop_turn();
  kept.connection().pause();
  kept.say(kResponse.substr(kResponse.size() - 1));
  kept.reset();
  static_cast<void>(kept.connection().write({"more of the request"}));
  for (int turn = 0; turn < 3; ++turn) kept.loop_turn();
  kept.connection().resume();
  CHECK_FALSE(kept.result_of_turns());
  CHECK(kept.has_ended());
}
