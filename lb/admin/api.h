// The admin port: upstreams, metrics, readiness, and a page for a browser.
// Thread: control.
#pragma once

#include "common/http/server.h"
#include "lb/access_log/recent_requests.h"
#include "lb/admin/events.h"
#include "lb/admin/guard.h"
#include "lb/admin/metrics.h"
#include "lb/admin/request_rates.h"
#include "lb/admin/server_control.h"
#include "lb/health/monitor.h"
#include "lb/reload.h"

#include <functional>
#include <string>
#include <vector>

namespace holdfast::lb {

class AdminApi final : public HttpHandler {
 public:
  /// What the admin port may ask of the control thread.
  struct Control {
    std::function<bool()> is_ready;
    std::function<bool()> is_draining;
    std::function<std::string()> config;  // effective, as YAML
    /// False where this is not the time.
    std::function<bool(bool is_dry, Reload::Done)> reload;
    /// Gathers a line() of each exchange under way, then answers.
    std::function<void(std::function<void(std::vector<std::string>)>)> describe_exchanges;
    /// Gathers of each worker the newest requests that have ended, at most `count_max`.
    std::function<void(std::size_t count_max, bool only_troubled, std::function<void(std::vector<RecentRequest>)>)>
        recent_requests;
  };

  /// `snapshot` is the one in force, whichever that is.
  AdminApi(Loop& loop, Timeouts& timeouts, const std::shared_ptr<const Snapshot>& snapshot, HealthMonitor& health,
           const Registry& registry, Control control)
      : loop_(loop),
        snapshot_(snapshot),
        health_(health),
        registry_(registry),
        control_(std::move(control)),
        guard_(snapshot->settings.admin, snapshot->settings.admin_token),
        servers_(loop, timeouts, health),
        events_(loop, timeouts) {}

  void on_request(const HttpRequest& request, Responder responder) override;
  /// Another process has the port by now: who watches /events is to ask there.
  void end_events() { events_.end(); }
  /// lb ends: clients that wait for something get their response now.
  void end() {
    events_.end();
    servers_.end();
  }

 private:
  void watch(const HttpRequest& request, Responder& responder);
  std::string states_now() const;
  void send_requests(const HttpRequest& request, Responder responder);
  std::string upstreams_json() const;
  std::string caddy_json() const;
  void set_log_level(const HttpRequest& request, Responder& responder);
  void reload(const HttpRequest& request, Responder responder);

  Loop& loop_;
  const std::shared_ptr<const Snapshot>& snapshot_;
  const HealthMonitor& health_;
  const Registry& registry_;
  Control control_;
  AdminGuard guard_;
  ServerControl servers_;
  Events events_;
  RequestRates rates_;
};

}  // namespace holdfast::lb
