#include "app/serve.h"

#include "app/clicks/click_metrics.h"
#include "app/service.h"
#include "common/log.h"
#include "common/loop/timeouts.h"
#include "common/net/listener.h"
#include "common/version.h"

#include <sys/resource.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <memory>
#include <utility>

namespace holdfast::app {
namespace {

/// Serving ──signal──▶ Leaving (says so, still accepting) ──delay──▶ Draining ──▶ Ended      (second signal: at once)
enum class Stage { Serving, Leaving, Draining, Ended };

void warn_of_open_api() {
  log::warn("THE API IS OPEN: anybody who can reach it may make, change and delete every link",
            {{"do", "for more than a trial set api.auth: keys (API_AUTH) and make keys: shortener keys create"}});
}

std::unique_ptr<Shipper> make_shipper(Journal* journal, const Config& config) {
  if (journal == nullptr) return nullptr;
  std::array<char, 65> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::make_unique<Shipper>(*journal, config.clicks,
                                   ShipperPlaces{.redis = config.redis_url,
                                                 .primary = config.primary,
                                                 .name = std::string(host.data()) + " " + config.listen.text()});
}

class Control {
 public:
  /// `journal` is null where clicks are not recorded.
  Control(const Config& config, const std::string& file, Blocklist blocklist, std::unique_ptr<Journal> journal)
      : config_(config),
        file_(file),
        journal_(std::move(journal)),
        timeouts_(loop_),
        timeouts_shutdown_(timeouts_.add_class()),
        delay_over_(Timeout::calling<&Control::drain>(this)),
        grace_over_(Timeout::calling<&Control::on_grace_over>(this)),
        shipper_(make_shipper(journal_.get(), config)),
        service_(std::make_unique<Service>(loop_, timeouts_, config, std::move(blocklist), journal_.get())) {}

  int run();

 private:
  void open();
  void say_cannot_listen(const Error& error) const;
  void watch(uv_signal_t& handle, int number);
  void on_signal(int number);
  void reload();
  void drain();
  void on_grace_over();
  void end();

  const Config& config_;
  const std::string& file_;
  Loop loop_;
  std::unique_ptr<Journal> journal_;
  Timeouts timeouts_;
  TimeoutClass& timeouts_shutdown_;
  Timeout delay_over_;
  Timeout grace_over_;
  std::unique_ptr<Shipper> shipper_;  // null where clicks are not recorded
  std::unique_ptr<Service> service_;
  uv_signal_t terminate_{};
  uv_signal_t interrupt_{};
  uv_signal_t hang_up_{};
  Stage stage_ = Stage::Serving;
  int exit_code_ = 0;
};

int Control::run() {
  std::signal(SIGPIPE, SIG_IGN);  // who has left is told of by EPIPE
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::string replicas;
  for (const PostgresDsn& each : config_.replicas) replicas += (replicas.empty() ? "" : " ") + each.shown;
  log::info("starting", {{"version", kVersion},
                         {"revision", kRevision},
                         {"primary", config_.primary.shown},
                         {"replica", config_.replica_is_primary ? "none" : replicas},
                         {"redis", config_.redis_url ? config_.redis_url->shown : "none"}});
  if (config_.api.auth == ApiAuth::Open) warn_of_open_api();
  if (const auto free = check_address_free(config_.listen); !free) {
    say_cannot_listen(free.error());
    return 1;
  }
  watch(terminate_, SIGTERM);
  watch(interrupt_, SIGINT);
  watch(hang_up_, SIGHUP);
  if (shipper_ != nullptr) {
    service_->add_metrics([this](Scrape& scrape) { collect_journal(*journal_, *shipper_, scrape); });
    shipper_->start();
  }
  service_->start([this] { open(); });
  loop_.run();
  service_.reset();
  if (shipper_ != nullptr) shipper_->finish();
  uv_close(reinterpret_cast<uv_handle_t*>(&terminate_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&interrupt_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&hang_up_), nullptr);
  if (exit_code_ == 0) log::info("stopped");
  return exit_code_;
}

void Control::open() {
  if (stage_ != Stage::Serving) return;  // told to end meanwhile
  if (const auto opened = service_->listen(); !opened) {
    say_cannot_listen(opened.error());
    exit_code_ = 1;
    return end();
  }
  log::info("listening", {{"name", "http"}, {"address", service_->address().text()}});
  if (config_.admin_listen.is_set()) {
    log::info("listening", {{"name", "admin"}, {"address", service_->admin_address().text()}});
  }
  log::info("ready");
}

void Control::say_cannot_listen(const Error& error) const {
  log::error("cannot listen",
             {{"name", "http"},
              {"address", config_.listen.text()},
              {"why", error.why},
              {"do", "stop the process that owns the port, or choose another address (LISTEN, PORT)"}});
}

void Control::watch(uv_signal_t& handle, int number) {
  uv_signal_init(loop_.uv(), &handle);
  handle.data = this;
  uv_signal_start(
      &handle, [](uv_signal_t* signal, int which) { static_cast<Control*>(signal->data)->on_signal(which); }, number);
}

/// A new file is judged whole; one that is wrong changes nothing.
void Control::reload() {
  LoadedConfig loaded = load_config(file_);
  auto blocklist = loaded.errors.empty() ? Blocklist::read(loaded.config.links.blocklist) : Blocklist();
  if (!blocklist) loaded.errors.push_back(blocklist.error());
  for (const std::string& error : loaded.errors) log::error("not reloaded", {{"why", error}});
  if (!loaded.errors.empty()) return;
  log::set_level(loaded.config.log_level);
  log::set_format(loaded.config.log_format);
  log::info("reloaded", {{"blocked_hosts", blocklist->size()},
                         {"taken", "log, api.auth, api.cors_origins, rate_limit, trusted_proxies, links.blocklist"},
                         {"rest", "at the next start"}});
  if (loaded.config.api.auth == ApiAuth::Open) warn_of_open_api();
  service_->reload(loaded.config, std::move(*blocklist));
}

void Control::on_signal(int number) {
  if (number == SIGHUP) return reload();
  if (stage_ != Stage::Serving) {
    log::warn("ending at once", {{"signal", number}});
    return end();
  }
  log::info("leaving", {{"signal", number}, {"accepting_for", config_.shutdown.delay}});
  stage_ = Stage::Leaving;
  service_->announce_leaving();
  if (config_.shutdown.delay.count() == 0) return drain();
  timeouts_shutdown_.arm(delay_over_, config_.shutdown.delay);
}

void Control::drain() {
  stage_ = Stage::Draining;
  log::info("draining", {{"grace", config_.shutdown.grace}});
  timeouts_shutdown_.arm(grace_over_, config_.shutdown.grace);
  service_->drain([this] { end(); });
}

void Control::on_grace_over() {
  log::warn("ending with work left", {{"why", "requests were not finished in time"}});
  end();
}

void Control::end() {
  if (stage_ == Stage::Ended) return;
  stage_ = Stage::Ended;
  loop_.stop();
}

}  // namespace

int serve(const Config& config, const std::string& file) {
  auto blocklist = Blocklist::read(config.links.blocklist);
  if (!blocklist) {
    log::error("block list", {{"why", blocklist.error()}});
    return 1;
  }
  std::unique_ptr<Journal> journal;
  if (config.clicks.records) {
    auto opened = Journal::open(config.clicks.journal);
    if (!opened) {
      log::error("click journal", {{"why", opened.error()}});
      return 1;
    }
    journal = std::move(*opened);
  }
  Control control(config, file, std::move(*blocklist), std::move(journal));
  return control.run();
}

}  // namespace holdfast::app
