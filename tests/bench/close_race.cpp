// Races: a server closes kept connections while lb's UpstreamConnection writes POSTs on them. Where that says
// `undelivered` (docs/retry.md: the kernel proves that the server took no byte), a POST may be sent again; so here the
// server, a thread of its own, notes of which POST it took a byte. One that was both is a false proof: exit code 1.
// lb itself looks at a kept connection before it writes (is_stale), and so seldom gets here; this does not look.
#include "lb/upstream/endpoint.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLanes = 16;
constexpr std::size_t kPostsMax = 8'000'000;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "close_race: %s\n", what.c_str());
  std::exit(2);
}

/// Of each POST: how often the server took a byte of it. One thread writes, the other reads when that has ended.
using Taken = std::vector<std::atomic<std::uint8_t>>;

// --- The server ---------------------------------------------------------------------------------------------------

/// How a connection is closed: all of them leave what they did not read unread, but for the second.
enum class Manner { Close, EndAndReadOn, Reset };

class ClosingServer {
 public:
  ClosingServer(Taken& taken, unsigned seed) : taken_(taken), dice_(seed) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot bind");
    if (listen(listener_, 1024) != 0) die("cannot listen");
    address_ = Address::local_of(listener_);
  }
  ~ClosingServer() { close(listener_); }

  const Address& address() const { return address_; }
  void run() {
    while (!is_told_to_end_ || !connections_.empty()) turn();
  }
  /// Serves until the last connection has ended. Thread: any.
  void end() { is_told_to_end_ = true; }

 private:
  struct Connection {
    int fd;
    std::string unread{};
    bool is_noted = false;   // that the first bytes of the request under way came
    bool has_ended = false;  // we have sent our end
    Clock::time_point close_at = Clock::time_point::max();
  };

  void turn() {
    std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
    bool is_hurried = false;
    for (const auto& one : connections_) {
      polled.push_back({.fd = one->fd, .events = POLLIN, .revents = 0});
      is_hurried = is_hurried || one->close_at != Clock::time_point::max();
    }
    poll(polled.data(), polled.size(), is_hurried ? 0 : 1);
    for (std::size_t i = 0; i + 1 < polled.size(); ++i) {
      Connection& one = *connections_[i];
      if (polled[i + 1].revents != 0 && !serve(one)) finish(one);
      if (one.fd >= 0 && Clock::now() >= one.close_at) let_go(one);
    }
    std::erase_if(connections_, [](const auto& one) { return one->fd < 0; });
    for (int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK); fd >= 0;
         fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) {
      connections_.push_back(std::make_unique<Connection>(Connection{.fd = fd}));
    }
  }

  /// Takes what has come, and answers what is whole. False where the client has ended it.
  bool serve(Connection& one) {
    const bool goes_on = take(one);
    const std::size_t head_end = one.unread.find("\r\n\r\n");
    if (head_end == std::string::npos) return goes_on;
    const std::size_t length = head_end + 4 + number_after(one.unread, "Content-Length: ");
    if (one.unread.size() < length) return goes_on;
    one.unread.erase(0, length);
    one.is_noted = false;
    if (one.has_ended) return goes_on;
    if (send(one.fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return false;
    if (dice_() % 8 != 0) one.close_at = Clock::now() + std::chrono::microseconds(dice_() % 150);
    return goes_on;
  }

  bool take(Connection& one) {
    std::array<char, 65536> buffer;
    for (;;) {
      const ssize_t got = recv(one.fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      one.unread.append(buffer.data(), static_cast<std::size_t>(got));
      if (!std::exchange(one.is_noted, true)) ++taken_[number_after(one.unread, "POST /")];
    }
  }

  void let_go(Connection& one) {
    take(one);  // as one that has done it, and dies before it answers
    one.close_at = Clock::time_point::max();
    switch (manners_[dice_() % manners_.size()]) {
      case Manner::Close:
        return finish(one);
      case Manner::EndAndReadOn:
        shutdown(one.fd, SHUT_WR);
        one.has_ended = true;
        return;
      case Manner::Reset: {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        return finish(one);
      }
    }
  }

  static void finish(Connection& one) { close(std::exchange(one.fd, -1)); }

  static std::size_t number_after(std::string_view text, std::string_view name) {
    const std::size_t at = text.find(name);
    std::size_t number = 0;
    if (at == std::string_view::npos ||
        std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number).ec != std::errc{}) {
      die("not a request of ours");
    }
    return number;
  }

  static constexpr std::array<Manner, 8> manners_{Manner::Close,        Manner::Close, Manner::Close,
                                                  Manner::Close,        Manner::Close, Manner::EndAndReadOn,
                                                  Manner::EndAndReadOn, Manner::Reset};
  Taken& taken_;
  std::mt19937 dice_;
  int listener_;
  Address address_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<bool> is_told_to_end_{false};
};

// --- The clients, on lb's own connections ---------------------------------------------------------------------------

struct Counts {
  std::size_t posts = 0;
  std::size_t answered = 0;
  std::size_t undelivered = 0;
  std::size_t closed_idle = 0;
  std::size_t other = 0;
  std::size_t races() const { return undelivered + closed_idle; }
};

/// One POST after the other.
class Lane final : private ResponseReceiver {
 public:
  Lane(Loop& loop, Endpoint& endpoint, Counts& counts, std::vector<bool>& is_proven, std::size_t races,
       std::mt19937& dice)
      : loop_(loop), endpoint_(endpoint), counts_(counts), is_proven_(is_proven), races_(races), dice_(dice) {}

  void next() {
    if (counts_.races() >= races_ || counts_.posts >= kPostsMax) return loop_.stop();
    number_ = counts_.posts++;
    connection_ = endpoint_.take_idle();
    if (connection_ != nullptr) return ask();
    connection_ = endpoint_.make();
    if (connection_->connect(*this)) die("cannot connect");
  }
  void let_go() {
    if (connection_ != nullptr) endpoint_.drop(std::move(connection_));
  }

 private:
  void ask() {
    connection_->begin(*this, {.method = Method::Post, .wants_proof = true});
    // Several segments, at times: the server's kernel may take some of them and not the others.
    const std::size_t length = dice_() % 4 == 0 ? dice_() % 40'000 : 500;
    head_ = "POST /" + std::to_string(number_) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) +
            "\r\n\r\n";
    // An error is told by on_failed() too.
    static_cast<void>(connection_->write({head_, std::string_view(body_).substr(0, length)}));
  }
  void again() {
    loop_.defer(this, [](void* self) { static_cast<Lane*>(self)->next(); });
  }

  void on_connected() override { ask(); }
  void on_end() override {
    ++counts_.answered;
    if (connection_->is_reusable()) endpoint_.give(std::move(connection_));
    let_go();
    again();
  }
  void on_failed(AttemptResult result) override {
    if (result == AttemptResult::Undelivered) is_proven_[number_] = true;
    ++(result == AttemptResult::Undelivered  ? counts_.undelivered
       : result == AttemptResult::ClosedIdle ? counts_.closed_idle
                                             : counts_.other);
    let_go();
    again();
  }
  void on_interim(const ResponseHead&) override {}
  void on_head(const ResponseHead&) override {}
  void on_body(std::string_view) override {}
  void on_trailers(std::span<const Field>) override {}
  void on_upgrade(const ResponseHead&) override {}
  void on_tunnel_end() override {}
  void on_server_out() override {}
  void on_request_drained() override {}

  Loop& loop_;
  Endpoint& endpoint_;
  Counts& counts_;
  std::vector<bool>& is_proven_;
  std::size_t races_;
  std::mt19937& dice_;
  std::unique_ptr<UpstreamConnection> connection_;
  std::size_t number_ = 0;
  std::string head_;
  const std::string body_ = std::string(40'000, 'x');
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t races = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
  if (races == 0 || argc > 3) {
    std::fprintf(stderr, "usage: close_race [RACES [SEED]]   (100000, 1)\n");
    return 2;
  }
  Taken taken(kPostsMax);
  std::vector<bool> is_proven(kPostsMax);
  ClosingServer server(taken, seed);
  std::thread serving([&server] { server.run(); });

  Counts counts;
  {
    std::mt19937 dice(seed + 1);
    Loop loop;
    Timeouts timeouts(loop);
    TimeoutClass& timeouts_idle = timeouts.add_class();
    const ConnectionSettings settings;
    HeadScratch scratch;
    Server record({.name = "closing", .authority = server.address().text(), .address = server.address()}, 1);
    Endpoint endpoint(loop, timeouts_idle, settings, ParserLimits{}, scratch, record, 0);
    std::vector<std::unique_ptr<Lane>> lanes;
    for (std::size_t i = 0; i < kLanes; ++i) {
      lanes.push_back(std::make_unique<Lane>(loop, endpoint, counts, is_proven, races, dice));
      lanes.back()->next();
    }
    loop.run();
    for (const auto& lane : lanes) lane->let_go();
    endpoint.close_idle();
    loop.settle();
  }
  server.end();
  serving.join();  // it has read all that will ever come

  std::size_t false_proofs = 0;
  std::size_t taken_unproven = 0;
  std::size_t twice = 0;
  for (std::size_t i = 0; i < counts.posts; ++i) {
    false_proofs += is_proven[i] && taken[i] > 0 ? 1 : 0;
    taken_unproven += !is_proven[i] && taken[i] > 0 ? 1 : 0;
    twice += taken[i] > 1 ? 1 : 0;
  }
  const std::size_t taken_unanswered = taken_unproven - counts.answered;
  std::printf(
      "%9zu  POSTs, %zu of them answered\n"
      "%9zu  met a connection that its server had closed or was closing\n"
      "%9zu  of them proven undelivered\n"
      "%9zu  of them not proven; and the server had taken a byte of %zu\n"
      "%9zu  FALSE PROOFS\n",
      counts.posts, counts.answered, counts.races(), counts.undelivered, counts.closed_idle, taken_unanswered,
      false_proofs);
  if (twice != 0) die("a POST was sent twice: the race itself is wrong");
  return false_proofs == 0 ? 0 : 1;
}
