#include "app/worker.h"

#include "app/clicks/click_metrics.h"
#include "app/http/admin.h"
#include "app/links/code.h"
#include "common/log.h"
#include "common/loop/mailbox.h"
#include "common/loop/timeouts.h"
#include "common/version.h"

#include <unistd.h>
#include <array>
#include <csignal>
#include <string>
#include <utility>

namespace holdfast::app {
namespace {

/// What no other worker is called.
std::string worker_name() {
  std::array<char, 65> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + "-" + std::to_string(::getpid()) + "-" + random_uuid().substr(0, 4);
}

/// Working ──signal──▶ Ending (the batch at hand) ──▶ Ended      (second signal, or grace over: at once)
class Worker {
 public:
  explicit Worker(const Config& config)
      : config_(config),
        timeouts_(loop_),
        timeouts_shutdown_(timeouts_.add_class()),
        grace_over_(Timeout::calling<&Worker::on_grace_over>(this)),
        context_{.counters = counters_, .problem_base = config.public_url, .has_admin_port = true},
        health_(context_),
        router_(context_, health_, metrics_),
        admin_(loop_, timeouts_, {.connections = 100}, router_),
        inbox_(loop_),
        consumer_(config.clicks, config.worker,
                  {.redis = *config.redis_url, .primary = config.primary, .name = worker_name()},
                  [this, inbox = inbox_.sender()](std::string_view dependency, bool is_up, std::string why) {
                    inbox.post([this, is_redis = dependency == "redis", is_up, why = std::move(why)] {
                      (is_redis ? redis_ : primary_).set(is_up, why);
                    });
                  }) {
    health_.add(primary_);
    health_.add(redis_);
    metrics_.add([this](Scrape& scrape) { collect(scrape); });
  }

  int run();

 private:
  void collect(Scrape& scrape) const;
  void watch(uv_signal_t& handle, int number);
  void on_signal(int number);
  void on_grace_over();

  const Config& config_;
  Loop loop_;
  Timeouts timeouts_;
  TimeoutClass& timeouts_shutdown_;
  Timeout grace_over_;
  AppCounters counters_;
  ReplyContext context_;
  Dependency primary_{"primary"};
  Dependency redis_{"redis"};
  HealthHandler health_;
  Registry metrics_;
  AdminRouter router_;
  HttpServer admin_;
  Mailbox inbox_;  // of the consumer's thread
  Consumer consumer_;
  uv_signal_t terminate_{};
  uv_signal_t interrupt_{};
};

int Worker::run() {
  std::signal(SIGPIPE, SIG_IGN);
  log::info("starting", {{"version", kVersion},
                         {"revision", kRevision},
                         {"primary", config_.primary.shown},
                         {"redis", config_.redis_url->shown},
                         {"stream", config_.clicks.stream}});
  if (config_.worker.listen.is_set()) {
    if (const auto opened = admin_.listen(config_.worker.listen); !opened) {
      log::error("cannot listen",
                 {{"name", "admin"},
                  {"address", config_.worker.listen.text()},
                  {"why", opened.error().why},
                  {"do", "stop the process that owns the port, or choose another address (WORKER_LISTEN)"}});
      return 1;
    }
    log::info("listening", {{"name", "admin"}, {"address", admin_.address().text()}});
  }
  watch(terminate_, SIGTERM);
  watch(interrupt_, SIGINT);
  consumer_.start();
  log::info("ready");
  loop_.run();
  uv_close(reinterpret_cast<uv_handle_t*>(&terminate_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&interrupt_), nullptr);
  log::info("stopped", {{"stored", consumer_.counts().stored.value()}});
  return 0;
}

void Worker::collect(Scrape& scrape) const {
  collect_process(scrape, "shortener");
  collect_consumer(consumer_.counts(), scrape);
  for (const Dependency* each : {&primary_, &redis_}) {
    scrape.gauge("shortener_dependency_up", "1 where it can be used.", {{"dependency", each->name()}},
                 each->is_up() ? 1 : 0);
  }
}

void Worker::watch(uv_signal_t& handle, int number) {
  uv_signal_init(loop_.uv(), &handle);
  handle.data = this;
  uv_signal_start(
      &handle, [](uv_signal_t* signal, int which) { static_cast<Worker*>(signal->data)->on_signal(which); }, number);
}

void Worker::on_signal(int number) {
  if (context_.is_draining) return on_grace_over();
  log::info("leaving", {{"signal", number}, {"grace", config_.shutdown.grace}});
  context_.is_draining = true;
  timeouts_shutdown_.arm(grace_over_, config_.shutdown.grace);
  consumer_.stop([this, inbox = inbox_.sender()] { inbox.post([this] { loop_.stop(); }); });
}

void Worker::on_grace_over() {
  log::warn("ending at once", {{"why", "the batch at hand was not stored in time; another worker takes it over"}});
  consumer_.cancel();
}

}  // namespace

int work(const Config& config) {
  if (!config.redis_url) {
    log::error("a worker needs Redis", {{"do",
                                         "name it (redis.url, REDIS_URL); without one the instances store "
                                         "their clicks themselves, and no worker is needed"}});
    return 1;
  }
  return Worker(config).run();
}

}  // namespace holdfast::app
