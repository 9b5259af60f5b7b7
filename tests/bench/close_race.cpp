// Races: servers of all manners end kept connections while lb's UpstreamConnection writes POSTs on them. A POST whose
// attempt is `undelivered` (docs/retry.md) is sent again, so no server may have read a byte of it. The servers are
// processes; they note in shared memory which POSTs they read, each before it reads. A POST that was both read and
// `undelivered` is a false proof: exit code 1. A manner that must have true proofs and has none: exit code 1 as well.
// `blind` does what lb never does, writing without a look at the connection, and trusts resets as
// retry.prove_undelivered does: it shows which servers that key is wrong for.
#include "lb/upstream/endpoint.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLanes = 32;
constexpr std::size_t kPostsMax = 16'000'000;
constexpr std::size_t kBodyMax = 40'000;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "close_race: %s\n", what.c_str());
  std::exit(2);
}

/// What a server does to a kept connection.
enum class Manner {
  Close,               // closes between two requests, without a look at what came
  ReadAndClose,        // closes between two requests, after reading what came
  Reset,               // resets between two requests
  ResetInBody,         // reads a part of a request, then resets
  ReadAndReset,        // reads a whole request, then resets
  HalfCloseReadOn,     // half-closes between two requests and reads on
  HalfCloseReadReset,  // half-closes between two requests, reads what comes, then resets
  HalfCloseReadClose,  // half-closes between two requests, reads a part of what comes, then closes
  Killed,              // is killed (SIGKILL) at any moment
};

struct MannerInfo {
  Manner manner;
  const char* name;
  bool has_proofs;  // so many races are decided before the POST leaves that "never proven" is a fault
};
constexpr std::array kManners{
    MannerInfo{Manner::Close, "close", true},
    MannerInfo{Manner::ReadAndClose, "read, close", true},
    MannerInfo{Manner::Reset, "reset", true},
    MannerInfo{Manner::ResetInBody, "read a part, reset", false},
    MannerInfo{Manner::ReadAndReset, "read all, reset", false},
    MannerInfo{Manner::HalfCloseReadOn, "half-close, read on", true},
    MannerInfo{Manner::HalfCloseReadReset, "half-close, read, reset", true},
    MannerInfo{Manner::HalfCloseReadClose, "half-close, read a part, close", true},
    MannerInfo{Manner::Killed, "SIGKILL", false},
};

/// Shared by all processes.
struct Shared {
  std::atomic<bool> is_over;
  std::array<std::atomic<std::uint8_t>, kPostsMax> was_read;  // by the POST's number
};

Shared& map_shared() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) die("no shared memory");
  return *static_cast<Shared*>(memory);
}

// --- A server, in a process of its own -----------------------------------------------------------------------------

class EndingServer {
 public:
  EndingServer(int listener, Manner manner, Shared& shared, unsigned seed)
      : listener_(listener), manner_(manner), shared_(shared), dice_(seed) {}

  void run() {
    while (!shared_.is_over || !connections_.empty()) turn();
  }

 private:
  struct Connection {
    int fd;
    std::string unread{};
    bool is_noted = false;        // that the first bytes of the request under way came
    bool is_half_closed = false;  // by us
    Clock::time_point end_at = Clock::time_point::max();
  };

  void turn() {
    std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
    bool is_hurried = false;
    for (const auto& one : connections_) {
      polled.push_back({.fd = one->fd, .events = POLLIN, .revents = 0});
      is_hurried = is_hurried || one->end_at != Clock::time_point::max();
    }
    poll(polled.data(), polled.size(), is_hurried ? 0 : 1);
    for (std::size_t i = 0; i + 1 < polled.size(); ++i) {
      Connection& one = *connections_[i];
      if (Clock::now() >= one.end_at) end(one);
      if (one.fd >= 0 && polled[i + 1].revents != 0 && !serve(one)) finish(one);
    }
    std::erase_if(connections_, [](const auto& one) { return one->fd < 0; });
    for (int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK); fd >= 0;
         fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) {
      connections_.push_back(std::make_unique<Connection>(Connection{.fd = fd}));
    }
  }

  /// Reads what has come, and answers what is whole. False if the client has ended it.
  bool serve(Connection& one) {
    const bool goes_on = read(one);
    if (one.is_noted && one.is_half_closed && one.end_at == Clock::time_point::max()) {
      if (manner_ == Manner::HalfCloseReadReset) end_within(one, 5ms);
      if (manner_ == Manner::HalfCloseReadClose) finish(one);
      if (one.fd < 0) return true;
    }
    const bool is_odd = dice_() % 2 == 0;
    const std::size_t head_end = one.unread.find("\r\n\r\n");
    const std::size_t length =
        head_end == std::string::npos ? 0 : head_end + 4 + number_after(one.unread, "Content-Length: ");
    if (length == 0 || one.unread.size() < length) {
      if (manner_ == Manner::ResetInBody && one.is_noted && is_odd) end_within(one, 200us);
      return goes_on;
    }
    one.unread.erase(0, length);
    one.is_noted = false;
    if (manner_ == Manner::ReadAndReset && is_odd) {
      end_within(one, 100us);
      return goes_on;
    }
    if (one.is_half_closed) return goes_on;
    if (send(one.fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return false;
    const bool ends_between =
        manner_ != Manner::ResetInBody && manner_ != Manner::ReadAndReset && manner_ != Manner::Killed;
    if (ends_between && dice_() % 8 != 0) end_within(one, 100us);
    return goes_on;
  }

  bool read(Connection& one) {
    std::array<char, 65536> buffer;
    for (;;) {
      if (!one.is_noted) {
        const ssize_t seen = recv(one.fd, buffer.data(), 64, MSG_PEEK);
        const std::string_view start(buffer.data(), seen < 0 ? 0 : static_cast<std::size_t>(seen));
        if (seen > 0 && start.find(" HTTP/") == std::string_view::npos) return true;  // the window ended within it
        if (seen > 0) ++shared_.was_read[number_after(start, "POST /")];
        one.is_noted = seen > 0;
      }
      // Some of it alone, at times: what stays unread makes a close a reset.
      const std::size_t wanted = manner_ == Manner::HalfCloseReadClose ? 100 : buffer.size();
      const ssize_t got = recv(one.fd, buffer.data(), wanted, 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      one.unread.append(buffer.data(), static_cast<std::size_t>(got));
      if (wanted != buffer.size()) return true;
    }
  }

  void end_within(Connection& one, std::chrono::microseconds longest) {
    one.end_at = Clock::now() + std::chrono::microseconds(dice_() % static_cast<unsigned>(longest.count()));
  }

  void end(Connection& one) {
    one.end_at = Clock::time_point::max();
    switch (manner_) {
      case Manner::ReadAndClose:
        read(one);
        return finish(one);
      case Manner::HalfCloseReadOn:
      case Manner::HalfCloseReadReset:
      case Manner::HalfCloseReadClose:
        if (std::exchange(one.is_half_closed, true)) return reset(one);
        shutdown(one.fd, SHUT_WR);
        return;
      case Manner::Reset:
      case Manner::ResetInBody:
      case Manner::ReadAndReset:
        return reset(one);
      case Manner::Close:
      case Manner::Killed:
        return finish(one);
    }
  }

  static void reset(Connection& one) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    finish(one);
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

  int listener_;
  Manner manner_;
  Shared& shared_;
  std::mt19937 dice_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

/// Runs `work` in a child process that dies with this one.
template <class Work>
pid_t in_child(Work work) {
  const pid_t child = fork();
  if (child < 0) die("cannot fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  _exit(0);
}

void wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) die("a server failed");
}

void serve(int listener, Manner manner, Shared& shared, unsigned seed) {
  if (manner != Manner::Killed) return EndingServer(listener, manner, shared, seed).run();
  std::mt19937 dice(seed);
  while (!shared.is_over) {
    const auto born_with = static_cast<unsigned>(dice());
    const pid_t server = in_child([&] { EndingServer(listener, manner, shared, born_with).run(); });
    usleep(static_cast<useconds_t>(dice() % 5000));
    kill(server, SIGKILL);
    wait_for(server);
  }
}

// --- The clients, on lb's own connections ---------------------------------------------------------------------------

/// What became of the POSTs, by number. A race is one that ended without a response on a kept connection.
struct Posts {
  std::vector<AttemptResult> results;
  std::size_t races = 0;
};

struct Race {
  Loop& loop;
  Endpoint& endpoint;
  Posts& posts;
  std::size_t races_max;  // ends when there were so many
  bool is_blind;
  std::mt19937& dice;
};

/// One POST after the other, each right after the last response or some microseconds later; its body at once, or in two
/// parts.
class Lane final : private ResponseReceiver {
 public:
  explicit Lane(Race& race) : race_(race) {}

  /// Called in each turn of the loop: does what is due.
  void turn() {
    if (Clock::now() < due_at_) return;
    due_at_ = Clock::time_point::max();
    if (!rest_.empty()) return static_cast<void>(connection_->write({std::exchange(rest_, {})}));
    begin();
  }
  void let_go() {
    if (connection_ != nullptr) race_.endpoint.drop(std::move(connection_));
  }

 private:
  void within(std::chrono::microseconds longest) {
    due_at_ = Clock::now() + std::chrono::microseconds(race_.dice() % static_cast<unsigned>(longest.count()));
  }

  void begin() {
    if (race_.posts.races >= race_.races_max) return race_.loop.stop();
    connection_ = race_.endpoint.take_idle();
    if (connection_ != nullptr) return ask();
    connection_ = race_.endpoint.make();
    if (connection_->connect(*this)) die("cannot connect");
  }

  void ask() {
    std::vector<AttemptResult>& results = race_.posts.results;
    if (results.size() == kPostsMax) die("too few races");
    number_ = results.size();
    results.push_back(AttemptResult::Cancelled);  // until it ends
    connection_->begin(*this, {.method = Method::Post, .looks_first = !race_.is_blind, .trusts_reset = race_.is_blind});
    // Several segments, at times: the server's kernel may take some of them and not the others.
    const std::size_t length = race_.dice() % 4 == 0 ? race_.dice() % kBodyMax : 500;
    const std::size_t at_once = race_.dice() % 2 == 0 ? length : std::min<std::size_t>(length, 10);
    head_ = "POST /" + std::to_string(number_) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) +
            "\r\n\r\n";
    const std::string_view body = std::string_view(body_).substr(0, length);
    rest_ = body.substr(at_once);
    if (!rest_.empty()) within(400us);
    // An error is told by on_failed() too.
    static_cast<void>(connection_->write({head_, body.substr(0, at_once)}));
  }
  void go_on() {
    rest_ = {};
    if (race_.dice() % 2 == 0) return within(100us);
    due_at_ = Clock::time_point::max();
    race_.loop.defer(this, [](void* self) { static_cast<Lane*>(self)->begin(); });
  }

  void on_connected() override { ask(); }
  void on_end() override {
    race_.posts.results[number_] = AttemptResult::Ok;
    if (connection_->is_reusable() && rest_.empty()) race_.endpoint.give(std::move(connection_));
    let_go();
    go_on();
  }
  void on_failed(AttemptResult result) override {
    race_.posts.results[number_] = result;
    if (result == AttemptResult::Undelivered || result == AttemptResult::ClosedIdle) ++race_.posts.races;
    let_go();
    go_on();
  }
  void on_interim(const ResponseHead&) override {}
  void on_head(const ResponseHead&) override {}
  void on_body(std::string_view) override {}
  void on_trailers(std::span<const Field>) override {}
  void on_upgrade(const ResponseHead&) override {}
  void on_tunnel_end() override {}
  void on_server_out() override {}
  void on_request_drained() override {}

  Race& race_;
  std::unique_ptr<UpstreamConnection> connection_;
  Clock::time_point due_at_{};  // at once, to begin with
  std::size_t number_ = 0;
  std::string head_;
  std::string_view rest_;  // of the body, to be sent later
  const std::string body_ = std::string(kBodyMax, 'x');
};

int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot bind");
  if (listen(listener, 1024) != 0) die("cannot listen");
  return listener;
}

/// Ends this process if the child has ended too soon: its clients would wait for ever.
void must_run(pid_t child) {
  if (waitpid(child, nullptr, WNOHANG) != 0) die("a server failed");
}

/// Runs the clients until there were `races`.
Posts race_against(const Address& address, pid_t server, std::size_t races, bool is_blind, std::mt19937& dice) {
  Posts posts;
  Loop loop;
  Timeouts timeouts(loop);
  TimeoutClass& timeouts_idle = timeouts.add_class();
  const ConnectionSettings connection_settings;
  HeadScratch scratch;
  Server record({.name = "ending", .authority = address.text(), .address = address}, 1);
  Endpoint endpoint(loop, timeouts_idle, connection_settings, ParserLimits{}, scratch, record, 0);
  Race race{loop, endpoint, posts, races, is_blind, dice};
  std::vector<std::unique_ptr<Lane>> lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes.push_back(std::make_unique<Lane>(race));
  uv_timer_t watching;
  uv_timer_init(loop.uv(), &watching);
  watching.data = &server;
  uv_timer_start(
      &watching, [](uv_timer_t* timer) { must_run(*static_cast<pid_t*>(timer->data)); }, 100, 100);
  uv_idle_t turning;  // what is due in microseconds leaves no time to sleep
  uv_idle_init(loop.uv(), &turning);
  turning.data = &lanes;
  uv_idle_start(&turning, [](uv_idle_t* handle) {
    for (const auto& lane : *static_cast<std::vector<std::unique_ptr<Lane>>*>(handle->data)) lane->turn();
  });
  loop.run();
  for (const auto& lane : lanes) lane->let_go();
  endpoint.close_idle();
  uv_close(reinterpret_cast<uv_handle_t*>(&turning), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&watching), nullptr);
  loop.settle();
  return posts;
}

struct Row {
  std::size_t posts = 0;
  std::size_t races = 0;
  std::size_t read = 0;  // among the races
  std::size_t true_proofs = 0;
  std::size_t false_proofs = 0;

  void add(AttemptResult result, bool was_read) {
    ++posts;
    if (result != AttemptResult::Undelivered && result != AttemptResult::ClosedIdle) return;
    ++races;
    read += was_read ? 1 : 0;
    if (result != AttemptResult::Undelivered) return;
    ++(was_read ? false_proofs : true_proofs);
  }
  void print(const char* name) const {
    const double unread = static_cast<double>(std::max<std::size_t>(races - read, 1));
    std::printf("%-30s %9zu %9zu %9zu %9zu %7.1f %% %7zu\n", name, posts, races, read, true_proofs,
                100 * static_cast<double>(true_proofs) / unread, false_proofs);
    std::fflush(stdout);
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t races = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
  const bool is_blind = argc > 3 && std::string_view(argv[3]) == "blind";
  if (races < kManners.size() || argc > 4 || (argc > 3 && !is_blind)) {
    std::fprintf(stderr, "usage: close_race [RACES [SEED [blind]]]   (100000, 1)\n");
    return 2;
  }
  std::mt19937 dice(seed);
  Row all;
  bool is_well = true;
  std::printf("%-30s %9s %9s %9s %9s %9s %7s\n", "the server's manner", "POSTs", "races", "read", "proven", "of unread",
              "FALSE");
  for (const MannerInfo& info : kManners) {
    Shared& shared = map_shared();
    const int listener = listen_on_loopback();
    const pid_t server = in_child([&] { serve(listener, info.manner, shared, seed); });
    const Posts posts = race_against(Address::local_of(listener), server, races / kManners.size(), is_blind, dice);
    shared.is_over = true;
    wait_for(server);  // it has read all that will ever come
    close(listener);

    Row row;
    for (std::size_t i = 0; i < posts.results.size(); ++i) {
      if (shared.was_read[i] > 1) die("a POST was sent twice: the race itself is wrong");
      row.add(posts.results[i], shared.was_read[i] > 0);
      all.add(posts.results[i], shared.was_read[i] > 0);
    }
    row.print(info.name);
    if (row.false_proofs != 0 || (info.has_proofs && row.true_proofs == 0)) is_well = false;
    munmap(&shared, sizeof shared);
  }
  all.print("all");
  return is_well ? 0 : 1;
}
