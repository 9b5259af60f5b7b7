// An open-loop load of redirects and new links: so many requests a second whatever becomes of them, arriving by chance.
// Latency counts from when a request was due, also where it had to wait for a connection; nothing is ever repeated.
// What came of all of them is printed as JSON. For tests/drills/capacity.py: what it costs itself is a few microseconds
// each.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

struct Piece {
  double rate = 0;
  double seconds = 0;
};

struct Options {
  int port = 0;
  std::vector<std::string> pieces;
  std::size_t links = 1;
  double posts = 0;
  unsigned seed = 1;
  std::size_t connections_max = 2000;
  double patience = 10;
  double slow_ms = 50;
  std::string target = "https://example.com/";
};

/// Seconds since the load began.
double now() {
  static const Clock::time_point begun = Clock::now();
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

struct Request {
  double due = 0;
  std::size_t link = 0;  // its number; 0 is a new link
};

/// A second's, by when its requests were due.
struct Second {
  std::size_t requests = 0;
  std::size_t good = 0;
  std::vector<float> redirects_ms;
};

float quantile(std::vector<float>& ordered, double share) {
  if (ordered.empty()) return 0;
  return ordered[std::min(ordered.size() - 1, static_cast<std::size_t>(share * static_cast<double>(ordered.size())))];
}

// --- What came of them ----------------------------------------------------------------------------------------------

class Account {
 public:
  explicit Account(double slow_ms) : slow_ms_(slow_ms) {}

  void late(double seconds) { late_ms_.push_back(static_cast<float>(seconds * 1000)); }

  /// `kind` is "302" or "201" for what is as it should be.
  void end(const Request& request, const std::string& kind, double at) {
    ++kinds_[kind];
    const auto second = static_cast<std::size_t>(request.due);
    if (seconds_.size() <= second) seconds_.resize(second + 1);
    ++seconds_[second].requests;
    const bool is_good = kind == "302" || kind == "201";
    if (is_good) ++seconds_[second].good;
    if (is_good && request.link == 0) new_ms_.push_back(static_cast<float>((at - request.due) * 1000));
    if (is_good && request.link != 0)
      seconds_[second].redirects_ms.push_back(static_cast<float>((at - request.due) * 1000));
  }

  json told(double from) {
    std::vector<float> all;
    json by_second = json::array();
    std::size_t requests = 0;
    for (std::size_t second = 0; second < seconds_.size(); ++second) {
      auto& one = seconds_[second];
      requests += one.requests;
      all.insert(all.end(), one.redirects_ms.begin(), one.redirects_ms.end());
      std::sort(one.redirects_ms.begin(), one.redirects_ms.end());
      by_second.push_back({one.requests, one.good, quantile(one.redirects_ms, 0.5), quantile(one.redirects_ms, 0.99)});
    }
    std::sort(all.begin(), all.end());
    std::sort(new_ms_.begin(), new_ms_.end());
    std::sort(late_ms_.begin(), late_ms_.end());
    rusage own{};
    getrusage(RUSAGE_SELF, &own);
    const auto seconds_of = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return {{"requests", requests},
            {"kinds", kinds_},
            {"redirects", all.size()},
            {"slow", all.end() - std::upper_bound(all.begin(), all.end(), static_cast<float>(slow_ms_))},
            {"p50_ms", quantile(all, 0.5)},
            {"p95_ms", quantile(all, 0.95)},
            {"p99_ms", quantile(all, 0.99)},
            {"p999_ms", quantile(all, 0.999)},
            {"slowest_ms", quantile(all, 1)},
            {"new_p99_ms", quantile(new_ms_, 0.99)},
            {"late_p50_ms", quantile(late_ms_, 0.5)},
            {"late_p99_ms", quantile(late_ms_, 0.99)},
            {"late_p999_ms", quantile(late_ms_, 0.999)},
            {"seconds", now() - from},
            {"cpu_seconds", seconds_of(own.ru_utime) + seconds_of(own.ru_stime)},
            {"by_second", by_second}};
  }

 private:
  double slow_ms_;
  std::map<std::string, std::size_t> kinds_;
  std::vector<Second> seconds_;
  std::vector<float> new_ms_, late_ms_;
};

// --- Clients
// ----------------------------------------------------------------------------------------------------------

struct Connection {
  int socket = -1;
  bool is_connected = false;
  bool is_busy = false;
  std::size_t turn = 0;  // counts its requests, so that one of before is told from this one
  Request request;
  std::string unsent;
  std::string answer;
};

class Load {
 public:
  Load(const Options& options, std::vector<Piece> pieces)
      : options_(options),
        pieces_(std::move(pieces)),
        account_(options.slow_ms),
        dice_(options.seed),
        poll_(epoll_create1(0)) {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    for (const Connection& one : connections_) {
      if (one.socket >= 0) ::close(one.socket);
    }
    ::close(poll_);
  }

  json run() {
    const double begun = now();
    next_due_ = begun + gap(pieces_.front().rate);
    piece_end_ = begun + pieces_.front().seconds;
    while (!is_over_ || !waiting_.empty() || under_way_ > 0) {
      send_what_is_due();
      give_up_what_is_late();
      hear(nearest());
    }
    return account_.told(begun);
  }

 private:
  double gap(double rate) { return std::exponential_distribution<double>(rate)(dice_); }

  /// Half of all visits go to as many links as the root of their number.
  std::size_t any_link() {
    if (chance_(dice_) < options_.posts) return 0;
    return std::max<std::size_t>(
        1, static_cast<std::size_t>(std::pow(static_cast<double>(options_.links), chance_(dice_))));
  }

  void send_what_is_due() {
    const double at = now();
    while (!is_over_ && next_due_ <= at) {
      if (next_due_ > piece_end_) {
        if (++piece_ == pieces_.size()) {
          is_over_ = true;
          break;
        }
        next_due_ = piece_end_ + gap(pieces_[piece_].rate);
        piece_end_ += pieces_[piece_].seconds;
        continue;
      }
      account_.late(at - next_due_);
      waiting_.push_back({.due = next_due_, .link = any_link()});
      next_due_ += gap(pieces_[piece_].rate);
    }
    while (!waiting_.empty() && send(waiting_.front())) waiting_.pop_front();
  }

  /// False where no connection is free, and no more may be made.
  bool send(const Request& request) {
    std::size_t number = 0;
    if (!idle_.empty()) {
      number = idle_.back();
      idle_.pop_back();
    } else if (!closed_.empty()) {
      number = closed_.back();
      closed_.pop_back();
    } else if (connections_.size() < options_.connections_max) {
      number = connections_.size();
      connections_.emplace_back();
    } else {
      return false;
    }
    Connection& one = connections_[number];
    one.is_busy = true;
    ++one.turn;
    one.request = request;
    one.answer.clear();
    one.unsent = text_of(request);
    ++under_way_;
    in_order_.push_back({number, one.turn});
    if (one.socket < 0 && !connect(number)) return true;
    if (one.is_connected) write(number);
    return true;
  }

  std::string text_of(const Request& request) {
    if (request.link != 0) return fmt::format("GET /bench{:012} HTTP/1.1\r\nHost: s.example\r\n\r\n", request.link);
    const std::string body = fmt::format(R"({{"longUrl":"{}new/{}-{}"}})", options_.target, options_.seed, ++made_);
    return fmt::format(
        "POST /api/v1/links HTTP/1.1\r\nHost: s.example\r\nContent-Type: application/json\r\nContent-Length: "
        "{}\r\n\r\n{}",
        body.size(), body);
  }

  bool connect(std::size_t number) {
    Connection& one = connections_[number];
    one.is_connected = false;
    one.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(one.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLET;
    wanted.data.u64 = number;
    if (one.socket < 0 || epoll_ctl(poll_, EPOLL_CTL_ADD, one.socket, &wanted) != 0 ||
        (::connect(one.socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)) {
      end(number, "no connection", false);
      return false;
    }
    return true;
  }

  void write(std::size_t number) {
    Connection& one = connections_[number];
    while (!one.unsent.empty()) {
      const ssize_t sent = ::send(one.socket, one.unsent.data(), one.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (sent < 0) return end(number, one.turn == 1 ? "no connection" : "closed without an answer", false);
      one.unsent.erase(0, static_cast<std::size_t>(sent));
    }
  }

  void hear(double seconds) {
    timespec wait{};
    wait.tv_nsec = static_cast<long>(std::clamp(seconds, 0.0, 0.5) * 1e9);
    epoll_event events[256];
    const int count = epoll_pwait2(poll_, events, 256, &wait, nullptr);
    for (int i = 0; i < count; ++i) {
      const std::size_t number = events[i].data.u64;
      Connection& one = connections_[number];
      if (one.socket < 0) continue;
      if ((events[i].events & EPOLLOUT) != 0 && (events[i].events & (EPOLLERR | EPOLLHUP)) == 0) {
        one.is_connected = true;
        write(number);
      }
      if (one.socket >= 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read(number);
    }
  }

  void read(std::size_t number) {
    Connection& one = connections_[number];
    for (;;) {
      char bytes[16384];
      const ssize_t got = ::recv(one.socket, bytes, sizeof bytes, 0);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (got <= 0) {
        if (!one.is_busy) return forget(number);
        return end(number,
                   !one.is_connected    ? "no connection"
                   : one.answer.empty() ? "closed without an answer"
                                        : "cut",
                   false);
      }
      one.answer.append(bytes, static_cast<std::size_t>(got));
      if (!one.is_busy) return forget(number);  // an answer that nobody asked for
      if (judge(number)) return;
    }
  }

  /// True once the answer is whole.
  bool judge(std::size_t number) {
    Connection& one = connections_[number];
    const std::size_t head_end = one.answer.find("\r\n\r\n");
    if (head_end == std::string::npos || head_end < 12) return false;
    std::string head = one.answer.substr(0, head_end + 2);
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::size_t length = head.find("\r\ncontent-length: ");
    const bool is_whole =
        length == std::string::npos
            ? one.answer.ends_with("0\r\n\r\n") || head.find("chunked") == std::string::npos
            : one.answer.size() - head_end - 4 >= std::strtoul(head.c_str() + length + 18, nullptr, 10);
    if (!is_whole) return false;
    std::string kind = head.substr(9, 3);
    const Request& asked = one.request;
    const std::string leads = fmt::format("\r\nlocation: {}{}\r\n", options_.target, asked.link);
    if (asked.link != 0 && kind == "302" && head.find(leads) == std::string::npos) kind = "another link's target";
    if (kind == (asked.link == 0 ? "302" : "201")) kind = "an answer of another kind";
    if (head.find("\r\nretry-after: ") != std::string::npos) kind += ", Retry-After";
    end(number, kind, head.find("\r\nconnection: close\r\n") == std::string::npos);
    return true;
  }

  void end(std::size_t number, const std::string& kind, bool is_kept) {
    Connection& one = connections_[number];
    account_.end(one.request, kind, now());
    one.is_busy = false;
    --under_way_;
    if (is_kept) {
      idle_.push_back(number);
    } else {
      close(number);
    }
  }

  /// One that was idle and has been closed by the other side.
  void forget(std::size_t number) {
    std::erase(idle_, number);
    close(number);
  }

  void close(std::size_t number) {
    Connection& one = connections_[number];
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(one.socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (one.socket >= 0) ::close(one.socket);
    one.socket = -1;
    closed_.push_back(number);
  }

  void give_up_what_is_late() {
    const double at = now();
    for (; !in_order_.empty(); in_order_.pop_front()) {
      const auto [number, turn] = in_order_.front();
      const Connection& one = connections_[number];
      const bool is_ended = !one.is_busy || one.turn != turn;
      if (!is_ended && at - one.request.due < options_.patience) break;
      if (!is_ended) end(number, "no answer in time", false);
    }
    for (; !waiting_.empty() && at - waiting_.front().due >= options_.patience; waiting_.pop_front()) {
      account_.end(waiting_.front(), "no connection was free in time", at);
    }
  }

  /// Seconds until something is to be done again.
  double nearest() const {
    double seconds = is_over_ ? 0.5 : next_due_ - now();
    if (!in_order_.empty()) seconds = std::min(seconds, 0.05);
    return seconds;
  }

  struct Sent {
    std::size_t number;
    std::size_t turn;
  };

  const Options& options_;
  std::vector<Piece> pieces_;
  std::size_t piece_ = 0;
  Account account_;
  std::mt19937_64 dice_;
  std::uniform_real_distribution<double> chance_{0, 1};
  int poll_;
  std::deque<Connection> connections_;
  std::vector<std::size_t> idle_, closed_;  // numbers of connections; the newest is used first
  std::deque<Request> waiting_;
  std::deque<Sent> in_order_;
  std::size_t under_way_ = 0;
  std::size_t made_ = 0;
  double next_due_ = 0;
  double piece_end_ = 0;
  bool is_over_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"An open-loop load of redirects and new links, for tests/drills/capacity.py"};
  app.add_option("port", options.port, "of the system, on 127.0.0.1")->required();
  app.add_option("pieces", options.pieces, "one after the other, each RATE:SECONDS")->required();
  app.add_option("--links", options.links, "the most popular one is bench000000000001")->capture_default_str();
  app.add_option("--target", options.target, "what each leads to, with its number behind")->capture_default_str();
  app.add_option("--posts", options.posts, "share of the requests that makes links")->capture_default_str();
  app.add_option("--seed", options.seed, "of the dice")->capture_default_str();
  app.add_option("--connections", options.connections_max, "at most")->capture_default_str();
  app.add_option("--patience", options.patience, "seconds for which an answer is waited for")->capture_default_str();
  app.add_option("--slow", options.slow_ms, "milliseconds beyond which a redirect counts as slow")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::vector<Piece> pieces;
  for (const std::string& text : options.pieces) {
    Piece piece;
    if (std::sscanf(text.c_str(), "%lf:%lf", &piece.rate, &piece.seconds) != 2 || !(piece.rate > 0) ||
        !(piece.seconds > 0)) {
      fmt::print(stderr, "{} is no RATE:SECONDS\n", text);
      return 2;
    }
    pieces.push_back(piece);
  }
  fmt::print("{}\n", Load(options, std::move(pieces)).run().dump());
  return 0;
}
