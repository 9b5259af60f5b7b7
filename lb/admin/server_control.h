// /upstreams/{pool}/{server}: tells of one server, and takes the operator's word for it.
// Thread: control.
#pragma once

#include "common/http/server.h"
#include "common/loop/timeouts.h"
#include "lb/admin/server_json.h"
#include "lb/health/monitor.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

/// Percent-escapes of one part of a path undone.
std::string unescaped(std::string_view text);
/// The answer to a mistake: `{"error": "…"}`.
void send_error(Responder& responder, int status, const std::string& why, std::string_view allow = {});

class ServerControl {
 public:
  ServerControl(Loop& loop, Timeouts& timeouts, HealthMonitor& health);

  /// `rest` is what follows /upstreams/ in the path. Whether the client may change anything was judged before.
  void on_request(const HttpRequest& request, std::string_view rest, Responder responder);
  /// lb ends: clients that wait for a drain get their response now.
  void end();

 private:
  /// Somebody who asked for a drain and waits for its end.
  struct DrainWait {
    Responder responder;
    std::string pool;  // by name: a reload may end it meanwhile
    std::string server;
    TimePoint deadline;
  };

  void change(const HttpRequest& request, ServerHealth& server, std::string_view action, Responder responder);
  void set_weight(const HttpRequest& request, ServerHealth& server, Responder responder);
  void drain(const HttpRequest& request, ServerHealth& server, Responder responder);
  void look_at_drains();
  void send_server(Responder& responder, int status, const ServerHealth& server) const;

  Loop& loop_;
  HealthMonitor& health_;
  TimeoutClass& timeouts_;
  Timeout next_look_;
  std::vector<DrainWait> waits_;
};

}  // namespace holdfast::lb
