// A small HTTP/1.1 server on one loop: whole requests in, whole responses out, at once or later.
// For admin ports and the shortener; the load balancer's data path has connections of its own.
// Thread: the loop's.
#pragma once

#include "common/http/head.h"
#include "common/loop/loop.h"
#include "common/loop/timeouts.h"
#include "common/memory/list.h"
#include "common/net/listener.h"
#include "common/result.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

struct ServerLimits {
  std::size_t connections = 10'000;
  std::size_t request_head_bytes = 16 * 1024;
  std::size_t request_target_bytes = 8 * 1024;
  std::size_t header_fields = 100;
  std::size_t request_body_bytes = 1024 * 1024;
  std::chrono::milliseconds timeout_head{10'000};   // a request's head and body, from its first byte
  std::chrono::milliseconds timeout_idle{75'000};   // between two requests
  std::chrono::milliseconds timeout_stall{30'000};  // a response of which the client takes nothing
};

/// A request read whole. Its views die with HttpHandler::on_request(): copy what an answer given later needs.
struct HttpRequest {
  const RequestHead& head;
  std::string_view path;   // the target up to '?', percent-escapes as sent
  std::string_view query;  // what follows '?', may be empty
  std::string_view body;
  const Address& client;
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type;  // left out where empty
  std::span<const Field> fields;  // beside Content-Type, Content-Length, Connection and Date, which the server writes
  std::string_view body;          // to a HEAD only its length is sent
};

/// Where one request's response goes. Exactly one, moved to whoever answers. Dropping it unanswered sends a 500.
/// It may outlive the client: then send() does nothing. Thread: the server's loop.
class Responder {
 public:
  Responder() = default;
  Responder(Responder&& other) noexcept;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();

  /// Writes the response. Allocates nothing where the client takes it at once.
  void send(const HttpResponse& response);
  /// Begins a response without a known end (server-sent events): then more(), until the client leaves or end().
  void begin(const HttpResponse& response);
  void more(std::string_view bytes);
  void end();

  /// False once it was sent or the client is gone.
  bool is_open() const { return connection_ != nullptr; }

 private:
  friend class HttpConnection;
  explicit Responder(class HttpConnection& connection);
  class HttpConnection* connection_ = nullptr;  // null once answered or left; the connection knows us too
};

class HttpHandler {
 public:
  /// One request; answer through `responder`, now or later, from this thread.
  virtual void on_request(const HttpRequest& request, Responder responder) = 0;

 protected:
  ~HttpHandler() = default;
};

/// What the server counts by itself; read by any thread.
struct ServerCounts {
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;  // answered 4xx by the server itself: bad messages, limits, time-outs
  std::size_t open = 0;
};

class HttpConnection;

class HttpServer final : private ListenerUser {
 public:
  HttpServer(Loop& loop, Timeouts& timeouts, const ServerLimits& limits, HttpHandler& handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Starts listening; may be called once for each address.
  Result<void> listen(const Address& address, PortSharing sharing = PortSharing::Alone);
  /// Where it listens, the port that was picked included; the first of them.
  Address address() const;
  /// Of the first as well: the socket, which stays the server's.
  int fd() const { return listeners_.empty() ? -1 : listeners_.front().fd(); }

  /// Stops listening and says `Connection: close` on every response; idle connections are closed now.
  /// Calls `done` when the last connection is gone. What is still open later is up to the caller (destroy the server).
  void drain(std::function<void()> done);
  /// From now on `Connection: close` on every response, but go on accepting.
  void announce_close() { is_closing_ = true; }

  ServerCounts counts() const { return counts_; }

 private:
  friend class HttpConnection;
  void on_accept(Stream stream) override;
  void on_gone(class HttpConnection& connection);

  Loop& loop_;
  ServerLimits limits_;
  HttpHandler& handler_;
  TimeoutClass& timeouts_head_;
  TimeoutClass& timeouts_idle_;
  TimeoutClass& timeouts_stall_;
  TimeoutClass& timeouts_linger_;
  std::unique_ptr<struct HttpServerScratch> scratch_;
  std::vector<Listener> listeners_;
  List<class HttpConnection> connections_;
  ServerCounts counts_;
  bool is_closing_ = false;
  std::function<void()> drained_;
};

}  // namespace holdfast
