#include "lb/worker.h"

#include "common/log.h"
#include "lb/downstream/connection.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

namespace holdfast::lb {

namespace {

constexpr std::chrono::milliseconds kSweepEvery{1000};

}  // namespace

/// What a worker serves with; all of it belongs to the worker's thread once that runs.
struct Worker::Serving final : private ListenerUser {
  explicit Serving(Worker& owner)
      : worker(owner),
        settings(owner.snapshot_->settings),
        timeouts(owner.loop_),
        exchange{.loop = owner.loop_,
                 .timeouts_connect = timeouts.add_class(),
                 .timeouts_first_byte = timeouts.add_class(),
                 .timeouts_idle = timeouts.add_class(),
                 .timeouts_wait = timeouts.add_class(),
                 .timeouts_hedge = timeouts.add_class(),
                 .timeouts_tunnel = timeouts.add_class(),
                 .timeouts = settings.upstream,
                 .request_body_bytes_max = settings.limits.request_body_bytes,
                 .worker = owner.index_,
                 .date = {},
                 .request_ids = {},
                 .dice = std::minstd_rand(static_cast<unsigned>(owner.index_) + 1),
                 .tell_failure = [](void* self) { static_cast<Worker*>(self)->tell_control_(); },
                 .teller = &owner},
        timeouts_queue(timeouts.add_class()),
        timeouts_kept(timeouts.add_class()),
        timeouts_retired(timeouts.add_class()),
        downstream{.loop = owner.loop_,
                   .timeouts_head = timeouts.add_class(),
                   .timeouts_idle = timeouts.add_class(),
                   .timeouts_stall = timeouts.add_class(),
                   .timeouts_linger = timeouts.add_class(),
                   .limits = settings.limits,
                   .timeouts = settings.client,
                   .trusted_proxies = settings.trusted_proxies,
                   .admission = owner.admission_,
                   .counters = owner.counters_,
                   .exchange = exchange,
                   .routes = nullptr,
                   .unrouted = share_of(owner.snapshot_->unrouted),
                   .shares = {},
                   .access_log = owner.access_log_,
                   .recent = RecentRequests(owner.snapshot_->settings.recent_requests),
                   .scratch = {},
                   .response = {}},
        room(owner.loop_, this, [](void* self) { static_cast<Serving*>(self)->on_room(); }),
        next_sweep(Timeout::calling<&Serving::sweep>(this)) {
    worker.admission_.join(worker.index_, room);
    exchange.unused = &downstream.exchanges;
    exchange.is_logged = downstream.access_log != nullptr;
    exchange.is_noted = downstream.is_told_of();
    take_pools(*owner.snapshot_);
  }

  // --- What the configuration says -----------------------------------------------------------------------------------

  /// A reload: exchanges under way keep what they began with, and follow at their next attempt.
  void take(const Snapshot& snapshot) {
    settings.trusted_proxies = snapshot.settings.trusted_proxies;
    settings.client = snapshot.settings.client;
    settings.upstream = snapshot.settings.upstream;
    take_pools(snapshot);
  }

  void take_pools(const Snapshot& snapshot) {
    std::vector<std::shared_ptr<PoolShare>> before = std::move(downstream.shares);
    downstream.shares.clear();
    for (const auto& pool : snapshot.pools) {
      const auto same_name = [&pool](const auto& one) { return one->pool->name() == pool->name(); };
      const auto past = std::find_if(before.begin(), before.end(), same_name);
      downstream.shares.push_back(share_of(pool));
      give_endpoints(*downstream.shares.back(), past == before.end() ? nullptr : past->get());
      if (past != before.end()) succeed(*past, downstream.shares.back());
    }
    downstream.routes = &snapshot.routes;
    for (const auto& share : before) retire(*share);
    for (auto& share : before) retired.push_back(std::move(share));
    sweep();
  }

  /// Those that `past` had replaced are told as well: else a request that began long ago would keep all that came
  /// since.
  void succeed(const std::shared_ptr<PoolShare>& past, const std::shared_ptr<PoolShare>& next) {
    for (const auto& share : retired) {
      if (share->successor == past) share->successor = next;
    }
    past->successor = next;
  }

  std::shared_ptr<PoolShare> share_of(const std::shared_ptr<ServerPool>& pool) {
    return std::make_shared<PoolShare>(worker.loop_, timeouts_queue, pool, worker.index_, worker.count_);
  }

  /// To servers that stay: those of `before`, with their connections.
  void give_endpoints(PoolShare& share, PoolShare* before) {
    const ParserLimits response_limits{
        .head_bytes = settings.limits.request_head_bytes * 4, .target_bytes = 0, .fields = kFieldsMax};
    for (const auto& server : share.pool->servers()) {
      std::shared_ptr<Endpoint> endpoint;
      for (std::size_t i = 0; before != nullptr && i < before->endpoints.size(); ++i) {
        if (&before->endpoints[i]->server() == server.get()) endpoint = before->endpoints[i];
      }
      if (endpoint != nullptr) {
        endpoint->take(share.settings.connections);
      } else {
        endpoint = std::make_shared<Endpoint>(worker.loop_, timeouts_kept, share.settings.connections, response_limits,
                                              downstream.scratch, *server, worker.index_);
      }
      share.endpoints.push_back(std::move(endpoint));
    }
  }

  void retire(PoolShare& share) {
    for (const auto& endpoint : share.endpoints) {
      const auto& now = share.latest().endpoints;
      const bool stays = share.successor != nullptr && std::find(now.begin(), now.end(), endpoint) != now.end();
      if (!stays) endpoint->retire();
    }
    if (share.successor != nullptr) share.queue.dismiss();
  }

  /// Frees the shares that no exchange goes by any more.
  void sweep() {
    std::erase_if(retired, [](const auto& share) { return share.use_count() == 1 && share->queue.is_quiet(); });
    if (!retired.empty() && !next_sweep.is_armed()) timeouts_retired.arm(next_sweep, kSweepEvery);
  }

  // --- Clients -------------------------------------------------------------------------------------------------------

  Result<Address> listen(const Address& address) {
    auto opened = Listener::open(worker.loop_, address, PortSharing::Shared, *this);
    if (!opened) return tl::unexpected(opened.error());
    listener = std::move(*opened);
    worker.listening_fd_ = listener.fd();
    return listener.address();
  }

  bool reserve() override { return is_place_kept = worker.admission_.try_enter(); }
  void unreserve() override {
    if (std::exchange(is_place_kept, false)) worker.admission_.withdraw();
  }
  bool make_room() override {
    Admission& admission = worker.admission_;
    if (admission.wait(worker.index_)) return is_place_kept = true;
    if (!is_room_coming() && DownstreamConnection::close_longest_idle(downstream) && admission.wait(worker.index_)) {
      return is_place_kept = true;
    }
    ask_others();
    count_pause(Shortage::Connections);
    log::warn_limited("clients wait", "connections",
                      log::Fields{{"why", "limits.connections are open, and none of them has been idle for a second"},
                                  {"limit", settings.limits.connections}});
    return false;
  }
  bool free_descriptor(int error_number) override {
    if (!is_room_coming() && DownstreamConnection::close_longest_idle(downstream)) return true;
    worker.admission_.wait_anyway(worker.index_);
    ask_others();
    count_pause(Shortage::Descriptors);
    log::warn_limited(
        "clients wait", "descriptors",
        log::Fields{{"why", uv_strerror(-error_number)}, {"do", "raise the limit of open files (LimitNOFILE)"}});
    return false;
  }
  void on_accept(Stream stream) override {
    if (!std::exchange(is_place_kept, false)) worker.admission_.enter();
    if (std::exchange(has_asked, false)) worker.admission_.take_request();  // nobody need make room for it any more
    DownstreamConnection::serve(downstream, std::move(stream));
  }
  void ask_others() {
    has_asked = true;
    worker.admission_.ask_others(worker.index_);
  }
  /// True where another worker has taken up what we asked for: to close one of ours beside its would be one too many.
  bool is_room_coming() { return has_asked && !worker.admission_.take_request(); }
  void count_pause(Shortage missing) { downstream.counters.pauses[static_cast<std::size_t>(missing)].add(); }
  /// Somebody left while we had clients waiting, or another worker has.
  void on_room() {
    if (worker.admission_.take_call(worker.index_)) listener.resume();
    if (!worker.admission_.take_request()) return;
    if (!DownstreamConnection::close_longest_idle(downstream)) worker.admission_.put_request_back();
  }

  template <class Call>
  void each_connection(Call call) {
    DownstreamConnection* next = nullptr;
    for (DownstreamConnection* one = downstream.connections.front(); one != nullptr; one = next) {
      next = downstream.connections.next(*one);
      call(*one);
    }
  }

  /// Some server's state has changed.
  void on_state_change() {
    for (const auto& share : downstream.shares) {
      for (const auto& endpoint : share->endpoints) {
        const State state = endpoint->server().state();
        if (state == State::Unhealthy || state == State::Ejected) endpoint->tell_server_out();
        if (state == State::Draining || state == State::Down) endpoint->close_idle();
      }
      share->queue.wake_some();
    }
  }

  void drain() {
    hand_over();
    each_connection([](DownstreamConnection& connection) { connection.close_when_idle(); });
  }

  void hand_over() {
    downstream.is_draining = true;
    downstream.ends_when_empty = true;
    listener.close();
    if (downstream.open == 0) worker.loop_.stop();
  }

  /// Ends all that is under way. On the worker's thread, unless that never ran; nothing happens the second time. This
  /// object and its loop live on: other workers may still wake them, in vain.
  void end() {
    if (!inbox) return;
    inbox.reset();
    worker.admission_.part(worker.index_);
    listener.close();
    each_connection([](DownstreamConnection& connection) { connection.abandon(); });
    for (const auto& share : downstream.shares) {
      for (const auto& endpoint : share->endpoints) endpoint->retire();
    }
    worker.loop_.settle();  // what was retired goes while what it stands on is still here
  }

  ~Serving() { end(); }

  Worker& worker;
  Settings settings;  // of the process; the pools' are with their shares
  Timeouts timeouts;
  ExchangeContext exchange;
  TimeoutClass& timeouts_queue;
  TimeoutClass& timeouts_kept;
  TimeoutClass& timeouts_retired;
  DownstreamContext downstream;
  std::vector<std::shared_ptr<PoolShare>> retired;  // by a reload; requests that began before may still go by them
  Listener listener;
  Wake room;
  Timeout next_sweep;
  bool is_place_kept = false;  // in the admission, for whom the listener takes next
  bool has_asked = false;      // other workers to make room, for a client that still waits
  std::optional<Mailbox> inbox{std::in_place, worker.loop_};  // of the control thread; empty after end()
};

Worker::Worker(std::size_t index, std::size_t count, std::shared_ptr<const Snapshot> snapshot, Admission& admission,
               AccessLogChannel* access_log, TellControl tell_control)
    : index_(index),
      count_(count),
      snapshot_(std::move(snapshot)),
      admission_(admission),
      access_log_(access_log),
      tell_control_(std::move(tell_control)),
      serving_(std::make_unique<Serving>(*this)),
      inbox_(serving_->inbox->sender()),
      wake_(std::make_unique<Wake>(loop_, this,
                                   [](void* self) { static_cast<Worker*>(self)->serving_->on_state_change(); })) {
  know(*snapshot_);
}

Worker::~Worker() {
  if (thread_.joinable()) {
    stop();
    join();
  }
}

Result<Address> Worker::listen(const Address& address) { return serving_->listen(address); }

void Worker::start(std::function<void()> ended) {
  // Signals are the control thread's: a worker is born with all of them blocked.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, ended = std::move(ended)] {
    loop_.run();
    serving_->end();
    ended();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::wake() { wake_->send(); }

void Worker::know(const Snapshot& snapshot) {
  for (const auto& pool : snapshot.pools) {
    pool->board().set_waker(
        index_, [](void* self) { static_cast<Worker*>(self)->wake(); }, this);
  }
}

void Worker::take(std::shared_ptr<const Snapshot> snapshot) {
  inbox_.post([this, snapshot = std::move(snapshot)]() mutable {
    serving_->take(*snapshot);
    snapshot_ = std::move(snapshot);
  });
}

void Worker::announce_close() {
  inbox_.post([this] { serving_->downstream.is_draining = true; });
}

void Worker::hand_over() {
  inbox_.post([this] { serving_->hand_over(); });
}

void Worker::drain() {
  inbox_.post([this] { serving_->drain(); });
}

void Worker::stop() {
  inbox_.post([this] { loop_.stop(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

bool Worker::describe_exchanges(std::function<void(std::vector<std::string>)> take) {
  return inbox_.post([this, take = std::move(take)] {
    std::vector<std::string> lines;
    serving_->each_connection([&lines](DownstreamConnection& connection) {
      if (connection.exchange() != nullptr) lines.push_back(connection.exchange()->line());
    });
    take(std::move(lines));
  });
}

bool Worker::recent_requests(std::size_t count_max, bool only_troubled,
                             std::function<void(std::vector<RecentRequest>)> take) {
  return inbox_.post([this, count_max, only_troubled, take = std::move(take)] {
    take(serving_->downstream.recent.newest(count_max, only_troubled));
  });
}

}  // namespace holdfast::lb
