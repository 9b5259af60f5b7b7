#include "lb/control.h"

#include "common/http/server.h"
#include "common/log.h"
#include "common/loop/mailbox.h"
#include "common/loop/wake.h"
#include "common/net/inherited.h"
#include "common/version.h"
#include "lb/admin/api.h"
#include "lb/config.h"
#include "lb/descriptors.h"
#include "lb/dns/names.h"
#include "lb/handover.h"
#include "lb/health/monitor.h"
#include "lb/pool/ledger.h"
#include "lb/reload.h"
#include "lb/worker.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::lb {
namespace {

using Fields = log::Fields;

/// What the admin port takes of a request's body.
constexpr std::size_t kAdminBodyBytes = 64 * 1024;

/// After the workers have ended, clients of the admin port have so long to take their last responses.
constexpr std::chrono::milliseconds kAdminGrace{1000};

/// Starting ──▶ Serving ──▶ Leaving ──▶ Draining ──▶ Ending ──▶ Ended      (Starting, or a second SIGINT: ──▶ Ending)
enum class Stage {
  Starting,
  Serving,
  Leaving,   // not ready, still accepting, for shutdown.delay; or another process accepts in our place
  Draining,  // each worker ends when its last request has, at the latest after shutdown.grace
  Ending,    // the workers were told to end, or have; then the admin port gives the responses that it owes
  Ended,
};

/// One question of the admin port to all workers. A worker that has ended owes nothing.
struct Gathering {
  std::set<std::size_t> awaited;  // workers
  std::function<void()> done;     // when nobody is awaited any more
};

class Control {
 public:
  /// `asked` is what `file` says, `settings` what of it is in force.
  Control(Settings settings, Settings asked, std::string file, std::vector<std::string> command,
          std::size_t worker_count, std::size_t admin_connections, std::unique_ptr<AccessLog> access_log);
  ~Control();
  int run();

 private:
  bool open_listeners();
  bool open_admin();
  /// Before anybody is served: asks the pools that have an idempotency_probe, one after the other.
  void ask_about_keys();
  void on_keys(const std::optional<std::string>& objection);
  void begin_serving();
  void watch_signals();
  void on_signal(int number);
  bool reload(bool is_dry, Reload::Done done);
  Result<void> apply(Settings settings);
  void upgrade();
  void on_upgraded(int pid, const std::optional<std::string>& failure);
  // The end, in this order; each may be the first.
  void leave();
  void drain();
  void end();
  void on_worker_ended(std::size_t index);
  void close_admin();
  void stop();
  template <class Item>
  void gather(std::function<bool(Worker&, std::function<void(std::vector<Item>)>)> ask,
              std::function<void(std::vector<Item>)> take);
  void on_told(std::uint64_t gathering, std::size_t worker);

  Settings settings_;
  std::size_t worker_count_;
  std::size_t admin_connections_;
  std::shared_ptr<const Snapshot> snapshot_;
  Admission admission_;
  std::unique_ptr<AccessLog> access_log_;
  Loop loop_;
  Timeouts timeouts_;
  TimeoutClass& timeouts_shutdown_;
  TimeoutClass& timeouts_keys_;
  TimeoutClass& timeouts_names_;
  Timeout delay_over_;
  Timeout grace_over_;
  Timeout admin_over_;
  Mailbox inbox_;  // of the workers
  Wake failures_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HealthMonitor> health_;
  std::unique_ptr<Names> names_;
  KeyInquiry inquiry_;
  Reload reload_;
  Handover handover_;
  Registry registry_;
  std::unique_ptr<AdminApi> admin_api_;
  std::unique_ptr<HttpServer> admin_;
  std::map<std::uint64_t, Gathering> gatherings_;  // by number
  std::uint64_t last_gathering_ = 0;
  uv_signal_t terminate_{};
  uv_signal_t interrupt_{};
  uv_signal_t rotated_{};
  uv_signal_t reloading_{};
  uv_signal_t upgrading_{};
  std::size_t workers_running_ = 0;
  Stage stage_ = Stage::Starting;
  bool has_handed_over_ = false;  // another process accepts in our place
  int exit_code_ = 0;
};

void say_cannot_listen(std::string_view name, const Address& address, const Error& error) {
  log::error("cannot listen", Fields{{"name", name},
                                     {"address", address.text()},
                                     {"why", error.why},
                                     {"do", error.code == Code::AddressInUse
                                                ? "stop the process that owns the port, or choose another port"
                                                : "choose another address"}});
}

/// No more connections kept idle than there are descriptors for.
void keep_within(Settings& settings, const DescriptorShares& shares) {
  for (PoolSettings& pool : settings.pools) {
    pool.connections.max_idle = std::min(pool.connections.max_idle, shares.idle_each);
  }
}

/// The last word: what came of every request. With several pools, each one's before the sum.
void say_ledger(const Snapshot& snapshot) {
  const auto say = [](std::string_view pool, const Ledger& ledger) {
    log::info("ledger", Fields{{"pool", pool},
                               {"what", ledger.text()},
                               {"answered", ledger.of(Outcome::Answered)},
                               {"client_gone", ledger.of(Outcome::ClientGone)},
                               {"tunnelled", ledger.of(Outcome::Tunnelled)},
                               {"in_flight", ledger.in_flight},
                               {"imbalance", ledger.imbalance()}});
  };
  const Ledger unrouted = ledger_of(*snapshot.unrouted);
  if (snapshot.pools.size() > 1 || unrouted.started > 0) {
    for (const auto& pool : snapshot.pools) say(pool->name(), ledger_of(*pool));
    say(snapshot.unrouted->name(), unrouted);
  }
  say("all", ledger_of(snapshot));
}

Control::Control(Settings settings, Settings asked, std::string file, std::vector<std::string> command,
                 std::size_t worker_count, std::size_t admin_connections, std::unique_ptr<AccessLog> access_log)
    : settings_(std::move(settings)),
      worker_count_(worker_count),
      admin_connections_(admin_connections),
      snapshot_(make_snapshot(settings_, worker_count_)),
      admission_(settings_.limits, worker_count_),
      access_log_(std::move(access_log)),
      timeouts_(loop_),
      timeouts_shutdown_(timeouts_.add_class()),
      timeouts_keys_(timeouts_.add_class()),
      timeouts_names_(timeouts_.add_class()),
      delay_over_(Timeout::calling<&Control::drain>(this)),
      grace_over_(Timeout::calling<&Control::end>(this)),
      admin_over_(Timeout::calling<&Control::stop>(this)),
      inbox_(loop_),
      failures_(loop_, this, [](void* self) { static_cast<Control*>(self)->health_->collect_failures(); }),
      inquiry_(loop_, timeouts_keys_),
      reload_(loop_, timeouts_keys_, std::move(file), std::move(asked),
              [this](Settings next) { return apply(std::move(next)); }),
      handover_(loop_, timeouts_keys_, std::move(command)) {
  for (std::size_t i = 0; i < worker_count_; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, worker_count_, snapshot_, admission_,
                                                access_log_ != nullptr ? &access_log_->channel(i) : nullptr,
                                                [this] { failures_.send(); }));
  }
  health_ = std::make_unique<HealthMonitor>(loop_, timeouts_, *snapshot_, [this] {
    for (const auto& worker : workers_) worker->wake();
  });
  names_ = std::make_unique<Names>(loop_, timeouts_names_, *snapshot_, *health_);
}

/// The loop does not turn any more, so nothing that is destroyed here calls anything else. The order is that of use:
/// users go before what they use.
Control::~Control() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();  // from here on there is no other thread
  admin_.reset();
  gatherings_.clear();
  admin_api_.reset();
  names_.reset();
  health_.reset();
  workers_.clear();
  // A signal that comes once nothing watches it any more is not to end the process in another way than exit_code_ says.
  sigset_t watched_signals;
  sigemptyset(&watched_signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGUSR2}) sigaddset(&watched_signals, number);
  pthread_sigmask(SIG_BLOCK, &watched_signals, nullptr);
  for (uv_signal_t* watched : {&terminate_, &interrupt_, &rotated_, &reloading_, &upgrading_}) {
    if (watched->loop != nullptr) uv_close(reinterpret_cast<uv_handle_t*>(watched), nullptr);
  }
}

int Control::run() {
  // Peers that leave are told of by EPIPE.
  std::signal(SIGPIPE, SIG_IGN);
  log::info("starting", Fields{{"version", kVersion}, {"revision", kRevision}, {"workers", worker_count_}});
  if (settings_.admin.is_set() && !open_admin()) return 1;
  if (const auto free = check_address_free(settings_.listen); !free) {
    say_cannot_listen("public", settings_.listen, free.error());
    return 1;
  }
  watch_signals();
  health_->start([this] { ask_about_keys(); });
  loop_.run();
  return exit_code_;
}

void Control::ask_about_keys() {
  std::vector<std::shared_ptr<ServerPool>> pools;
  for (const auto& pool : snapshot_->pools) {
    if (wants_key_inquiry(pool->settings())) pools.push_back(pool);
  }
  inquiry_.start(std::move(pools), [this](const auto& objection) { on_keys(objection); });
}

void Control::on_keys(const std::optional<std::string>& objection) {
  if (stage_ != Stage::Starting) return;  // SIGTERM came first
  if (!objection) return begin_serving();
  log::error(
      "keys must not be assigned",
      Fields{{"why", *objection}, {"do", "take retry.assign_idempotency_key out, or correct idempotency_probe"}});
  exit_code_ = 1;
  end();
}

bool Control::open_admin() {
  registry_.add([this](Scrape& scrape) {
    std::vector<const WorkerCounters*> counters;
    for (const auto& worker : workers_) counters.push_back(&worker->counters());
    collect_lb(scrape, {.snapshot = *snapshot_,
                        .health = *health_,
                        .reload = reload_,
                        .access_log = access_log_.get(),
                        .workers = std::move(counters),
                        .is_draining = [this] { return stage_ > Stage::Serving; }});
  });
  admin_api_ = std::make_unique<AdminApi>(
      loop_, timeouts_, snapshot_, *health_, registry_,
      AdminApi::Control{
          .is_ready = [this] { return stage_ == Stage::Serving; },
          .is_draining = [this] { return stage_ > Stage::Serving; },
          .config = [this] { return dump_config(settings_); },
          .reload = [this](bool is_dry, Reload::Done done) { return reload(is_dry, std::move(done)); },
          .describe_exchanges =
              [this](std::function<void(std::vector<std::string>)> take) {
                gather<std::string>(
                    [](Worker& worker, auto told) { return worker.describe_exchanges(std::move(told)); },
                    std::move(take));
              },
          .recent_requests =
              [this](std::size_t count_max, bool only_troubled, std::function<void(std::vector<RecentRequest>)> take) {
                gather<RecentRequest>(
                    [count_max, only_troubled](Worker& worker, auto told) {
                      return worker.recent_requests(count_max, only_troubled, std::move(told));
                    },
                    std::move(take));
              },
      });
  admin_ = std::make_unique<HttpServer>(
      loop_, timeouts_, ServerLimits{.connections = admin_connections_, .request_body_bytes = kAdminBodyBytes},
      *admin_api_);
  if (const auto opened = admin_->listen(settings_.admin); !opened) {
    say_cannot_listen("admin", settings_.admin, opened.error());
    return false;
  }
  log::info("listening", Fields{{"name", "admin"}, {"address", admin_->address().text()}});
  return true;
}

/// Asks each worker, and hands over what all of them had, once the last has said or ended.
template <class Item>
void Control::gather(std::function<bool(Worker&, std::function<void(std::vector<Item>)>)> ask,
                     std::function<void(std::vector<Item>)> take) {
  const auto items = std::make_shared<std::vector<Item>>();
  Gathering gathering{.awaited = {}, .done = [items, take = std::move(take)] { take(std::move(*items)); }};
  const std::uint64_t number = ++last_gathering_;
  for (std::size_t i = 0; i < workers_.size() && stage_ != Stage::Starting; ++i) {
    const bool is_asked = ask(*workers_[i], [this, inbox = inbox_.sender(), number, i, items](std::vector<Item> its) {
      inbox.post([this, number, i, items, its = std::move(its)]() mutable {
        std::move(its.begin(), its.end(), std::back_inserter(*items));
        on_told(number, i);
      });
    });
    if (is_asked) gathering.awaited.insert(i);
  }
  if (gathering.awaited.empty()) return gathering.done();
  gatherings_.emplace(number, std::move(gathering));
}

void Control::on_told(std::uint64_t gathering, std::size_t worker) {
  const auto found = gatherings_.find(gathering);
  if (found == gatherings_.end()) return;
  found->second.awaited.erase(worker);
  if (!found->second.awaited.empty()) return;
  const auto done = std::move(found->second.done);
  gatherings_.erase(found);
  done();
}

bool Control::open_listeners() {
  Address address = settings_.listen;
  for (const auto& worker : workers_) {
    const auto opened = worker->listen(address);
    if (!opened) {
      say_cannot_listen("public", address, opened.error());
      return false;
    }
    address = *opened;  // port 0: all take the one that the first was given
  }
  if (inherited_sockets_left() > 0) {
    // Who waits in their queues would never be taken.
    log::error("inherited sockets are left over",
               Fields{{"count", inherited_sockets_left()},
                      {"do", "give it at least as many workers as the lb before had, and the same listen addresses"}});
    return false;
  }
  log::info("listening", Fields{{"name", "public"}, {"address", address.text()}});
  return true;
}

void Control::begin_serving() {
  if (stage_ != Stage::Starting) return;
  if (!open_listeners()) {
    exit_code_ = 1;
    return end();
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    ++workers_running_;
    workers_[i]->start([this, inbox = inbox_.sender(), i] { inbox.post([this, i] { on_worker_ended(i); }); });
  }
  names_->start();
  stage_ = Stage::Serving;
  log::info("ready");
  tell_ready();
}

void Control::watch_signals() {
  const auto watch = [this](uv_signal_t& handle, int number) {
    uv_signal_init(loop_.uv(), &handle);
    handle.data = this;
    uv_signal_start(
        &handle, [](uv_signal_t* signal, int which) { static_cast<Control*>(signal->data)->on_signal(which); }, number);
  };
  watch(terminate_, SIGTERM);
  watch(interrupt_, SIGINT);
  watch(rotated_, SIGUSR1);
  watch(reloading_, SIGHUP);
  watch(upgrading_, SIGUSR2);
}

void Control::on_signal(int number) {
  const char* name = sigabbrev_np(number);
  log::info("signal", Fields{{"name", "SIG" + std::string(name != nullptr ? name : "?")}});
  if (number == SIGUSR1) {
    if (access_log_ != nullptr) access_log_->reopen();
    return;
  }
  if (number == SIGHUP) {
    if (!reload(false, [](const ReloadOutcome&) {})) log::warn("not reloaded", Fields{{"why", "this is not the time"}});
    return;
  }
  if (number == SIGUSR2) return upgrade();
  if (stage_ <= Stage::Serving) return leave();
  if (number == SIGTERM && has_handed_over_) return drain();
  if (number == SIGINT) stage_ < Stage::Ending ? end() : stop();  // the second one: at once
}

/// False where it is not serving, or too many wait already.
bool Control::reload(bool is_dry, Reload::Done done) {
  return stage_ == Stage::Serving && reload_.start(is_dry, std::move(done));
}

Result<void> Control::apply(Settings settings) {
  if (stage_ != Stage::Serving) return failure(Code::Internal, Side::Self, "lb is shutting down");
  const auto shares = share_descriptors(raise_file_limit(), settings, worker_count_);
  if (!shares)
    return failure(Code::TooMany, Side::Self,
                   "too few file descriptors for it; raise the limit of open files (LimitNOFILE)");
  settings.limits = settings_.limits;  // as they are in force
  keep_within(settings, *shares);
  log::set_level(settings.log_level);
  settings_ = std::move(settings);
  names_.reset();  // before whom it tells of addresses
  snapshot_ = make_snapshot(settings_, worker_count_, snapshot_.get());
  for (const auto& worker : workers_) worker->know(*snapshot_);
  health_->take(*snapshot_);
  names_ = std::make_unique<Names>(loop_, timeouts_names_, *snapshot_, *health_);
  names_->start();
  for (const auto& worker : workers_) worker->take(snapshot_);
  return {};
}

void Control::upgrade() {
  std::vector<int> sockets;  // in the order in which they are opened
  if (admin_ != nullptr) sockets.push_back(admin_->fd());
  for (const auto& worker : workers_) sockets.push_back(worker->listening_fd());
  const bool has_begun = stage_ == Stage::Serving &&
                         handover_.start(sockets, [this](int pid, const auto& failure) { on_upgraded(pid, failure); });
  if (!has_begun) log::warn("not upgraded", Fields{{"why", "this is not the time, or an upgrade is under way"}});
}

/// The new process serves beside us. Who is connected here has one more request, with whose answer he is sent there;
/// who has none is left the time of shutdown.grace, so that none is closed under a request that is on its way.
void Control::on_upgraded(int pid, const std::optional<std::string>& failure) {
  if (failure) return log::error("not upgraded", Fields{{"why", *failure}, {"now", "this process serves on"}});
  log::info("upgraded", Fields{{"pid", pid}});
  if (stage_ != Stage::Serving) return;
  stage_ = Stage::Leaving;
  has_handed_over_ = true;
  reload_.end();
  for (const auto& worker : workers_) worker->hand_over();
  if (admin_ != nullptr) {
    admin_api_->end_events();
    admin_->drain([] {});
  }
  timeouts_shutdown_.arm(delay_over_, settings_.shutdown.grace);
}

void Control::leave() {
  if (stage_ == Stage::Starting) return end();
  stage_ = Stage::Leaving;
  reload_.end();  // it would not be applied
  for (const auto& worker : workers_) worker->announce_close();
  if (settings_.shutdown.delay.count() == 0) return drain();
  log::info("leaving", Fields{{"accepting_for", settings_.shutdown.delay}});
  timeouts_shutdown_.arm(delay_over_, settings_.shutdown.delay);
}

void Control::drain() {
  if (stage_ >= Stage::Draining) return;
  stage_ = Stage::Draining;
  delay_over_.disarm();
  log::info("draining", Fields{{"in_flight", ledger_of(*snapshot_).in_flight}, {"grace", settings_.shutdown.grace}});
  for (const auto& worker : workers_) worker->drain();
  timeouts_shutdown_.arm(grace_over_, settings_.shutdown.grace);
}

/// Now, whatever is under way.
void Control::end() {
  if (stage_ >= Stage::Ending) return;
  if (stage_ == Stage::Draining) log::warn("ending with requests under way");
  stage_ = Stage::Ending;
  if (workers_running_ == 0) return close_admin();
  for (const auto& worker : workers_) worker->stop();
}

void Control::on_worker_ended(std::size_t index) {
  workers_[index]->join();
  std::vector<std::uint64_t> asked;
  for (const auto& [number, gathering] : gatherings_) asked.push_back(number);
  for (const std::uint64_t number : asked) on_told(number, index);
  if (--workers_running_ > 0) return;
  say_ledger(*snapshot_);
  close_admin();
}

void Control::close_admin() {
  stage_ = Stage::Ending;
  delay_over_.disarm();
  grace_over_.disarm();
  reload_.end();
  if (admin_ == nullptr) return stop();
  admin_api_->end();
  timeouts_shutdown_.arm(admin_over_, kAdminGrace);
  admin_->drain([this] { stop(); });
}

void Control::stop() {
  if (stage_ == Stage::Ended) return;
  stage_ = Stage::Ended;
  if (exit_code_ == 0) log::info("stopped");
  loop_.stop();
}

}  // namespace

int run(Settings settings, std::string file, std::vector<std::string> command) {
  Settings asked = settings;
  const std::size_t worker_count =
      settings.workers != 0 ? settings.workers : std::max(1U, std::thread::hardware_concurrency());
  const std::size_t files = raise_file_limit();
  const auto shares = share_descriptors(files, settings, worker_count);
  if (!shares) {
    log::error("too few file descriptors",
               Fields{{"have", files}, {"do", "raise the limit of open files (LimitNOFILE)"}});
    return 1;
  }
  settings.limits.connections = shares->clients;
  keep_within(settings, *shares);
  log::info("descriptors", Fields{{"files", files},
                                  {"clients", shares->clients},
                                  {"idle_to_each_server", shares->idle_each},
                                  {"admin", shares->admin}});
  if (shares->clients < asked.limits.connections) {
    log::warn("fewer clients than limits.connections", Fields{{"clients", shares->clients},
                                                              {"asked", asked.limits.connections},
                                                              {"files", files},
                                                              {"do", "raise the limit of open files (LimitNOFILE)"}});
  }
  auto access_log = AccessLog::open(settings.access_log, worker_count);
  if (!access_log) {
    log::error("cannot write the access log", Fields{{"file", settings.access_log.to},
                                                     {"why", access_log.error().why},
                                                     {"do", "choose another file for log.access, or off"}});
    return 1;
  }
  Control control(std::move(settings), std::move(asked), std::move(file), std::move(command), worker_count,
                  shares->admin, std::move(*access_log));
  return control.run();
}

}  // namespace holdfast::lb
