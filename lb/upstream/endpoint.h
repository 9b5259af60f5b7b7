// This worker's way to one server: its idle keep-alive connections, newest first, and new ones.
// Thread: worker; each worker has its own.
#pragma once

#include "lb/upstream/connection.h"

#include <memory>

namespace holdfast::lb {

class Endpoint {
 public:
  Endpoint(Loop& loop, TimeoutClass& timeouts_idle, const ConnectionSettings& settings, const ParserLimits& limits,
           HeadScratch& scratch, Server& server, std::size_t worker)
      : loop_(loop),
        timeouts_idle_(timeouts_idle),
        settings_(&settings),
        limits_(limits),
        scratch_(scratch),
        server_(server),
        counters_(server.counters(worker)) {}
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Takes the newest idle connection; null where there is none. The caller owns it until give() or drop().
  /// Its server may have closed it already (RFC 9112 §9.5): the first write or read will tell.
  std::unique_ptr<UpstreamConnection> take_idle();
  /// A connection still to be connected.
  std::unique_ptr<UpstreamConnection> make();
  /// Takes back a reusable connection; the oldest is closed where there are too many.
  void give(std::unique_ptr<UpstreamConnection> connection);
  /// Closes a connection, perhaps from inside one of its own calls.
  void drop(std::unique_ptr<UpstreamConnection> connection);
  /// Closes those that idle.
  void close_idle();
  /// A reload says this now; `settings` must outlive it.
  void take(const ConnectionSettings& settings);
  /// A reload has no use for it any more: nothing idles here from now on.
  void retire();
  /// Tells whoever waits for an answer of this server that it is out of service.
  void tell_server_out();

  Server& server() { return server_; }
  ServerCounters& counters() { return counters_; }

 private:
  friend class UpstreamConnection;
  /// An idle connection ends.
  void discard(UpstreamConnection& connection);
  void on_closed(UpstreamConnection& connection);

  Loop& loop_;
  TimeoutClass& timeouts_idle_;
  const ConnectionSettings* settings_;
  ParserLimits limits_;
  HeadScratch& scratch_;
  Server& server_;
  ServerCounters& counters_;
  List<UpstreamConnection, Endpoint> idle_;  // owned, newest first
  std::size_t idle_count_ = 0;
  bool is_retired_ = false;
  List<UpstreamConnection, Endpoint> busy_;  // their exchanges own them
};

}  // namespace holdfast::lb
