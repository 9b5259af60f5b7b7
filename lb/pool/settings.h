// What a configuration says, as plain structs: each room is given the one that it needs.
// The defaults stand here; lb/config describes every key.
#pragma once

#include "common/http/head.h"
#include "common/net/address.h"
#include "lb/pool/field_rules.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lb {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

struct StatusRange {
  int first = 200;
  int last = 299;
  bool contains(int status) const { return first <= status && status <= last; }
};

struct HealthSettings {
  std::string uri;  // empty: no active checks
  std::string method = "GET";
  std::string host;  // the Host of a probe; empty: the server's address
  milliseconds interval = 1s;
  milliseconds timeout = 1s;
  unsigned passes = 1;
  unsigned fails = 2;
  std::vector<StatusRange> status{StatusRange{}};
  std::string body;                              // must be in the answer's body; empty: any body will do
  int port = 0;                                  // 0: the server's own
  FieldRules fields{FieldRules::Side::Request};  // of a probe
  milliseconds stall_after = 100ms;              // 0: no stall detection
  milliseconds stall_timeout = 150ms;
};

struct PassiveSettings {
  unsigned max_fails = 3;
  milliseconds fail_window = 10s;
  milliseconds eject_for = 1s;
  milliseconds eject_max = 30s;
  unsigned max_ejected_percent = 50;    // of a pool's servers
  std::vector<StatusRange> statuses{};  // that count as failures
  milliseconds latency = 0ms;           // to a response's head, above which it counts as one; 0: none does
};

/// What retries may add to the load of a pool, in each worker.
struct BudgetSettings {
  unsigned percent = 20;  // of the requests
  unsigned min_per_second = 10;
};

/// A POST that servers are sent twice with one key at start-up.
struct IdempotencyProbeSettings {
  std::string uri;  // empty: they are not asked
  std::string body = "{}";
  FieldRules fields{FieldRules::Side::Request};
  milliseconds timeout = 5s;
};

struct RetrySettings {
  milliseconds deadline = 5s;
  milliseconds per_try = 0ms;  // 0: an attempt has all of timeouts.first_byte
  BudgetSettings budget;
  bool prove_undelivered = false;
  bool assign_idempotency_key = false;
  IdempotencyProbeSettings idempotency_probe;
  std::vector<StatusRange> statuses{{502, 504}};
  std::size_t body_buffer_bytes = 64 * 1024;
};

/// A second attempt at another server while the first one owes its answer.
struct HedgeSettings {
  bool is_on = false;
  double quantile = 0;  // of the pool's times to the first byte, after which it is made; 0: `after` says it
  milliseconds after{0};
  unsigned max_percent = 5;  // of the requests that might be hedged
  std::vector<Method> methods{Method::Get, Method::Head, Method::Options};
};

struct ResponseSettings {
  std::size_t buffer_bytes = 64 * 1024;
  milliseconds hold = 50ms;
};

/// Waiting for a server, one step of an attempt each.
struct UpstreamTimeouts {
  milliseconds connect = 500ms;
  milliseconds first_byte = 30s;
  milliseconds idle = 30s;
  milliseconds tunnel = 1h;
};

struct ConnectionSettings {
  std::size_t max_idle = 1024;  // per worker and server
  milliseconds idle_timeout = 4s;
};

struct ServerSettings {
  std::string name;                 // as in logs and metrics; the address where none was given
  std::string authority;            // as written: host:port
  Address address;                  // where it is no name
  bool is_name = false;             // whose addresses come and go
  std::vector<Address> resolved{};  // those that it had at the start
  std::size_t place = 0;            // among the servers that stand for it
  unsigned weight = 1;
  unsigned max_requests = 0;  // at a time, over all workers; 0: any number
  bool is_backup = false;     // gets requests only while no other may
};

enum class Policy : std::uint8_t { RoundRobin, LeastRequests, Random, First, Hash };
/// What of a request `hash` looks at.
enum class HashSource : std::uint8_t { ClientIp, Path, Header, Cookie };

struct PolicySettings {
  Policy policy = Policy::RoundRobin;
  HashSource source = HashSource::ClientIp;
  std::string name;  // of the header field or the cookie
  /// As the configuration has it.
  std::string text() const;
};

/// Servers whose name may get other addresses.
struct DnsSettings {
  milliseconds refresh = 10s;  // 0: never
  unsigned addresses = 16;     // of a name, at a time
};

struct PoolSettings {
  std::string name;
  PolicySettings policy;
  std::vector<ServerSettings> servers;
  HealthSettings health;
  PassiveSettings passive;
  RetrySettings retry;
  HedgeSettings hedge;
  ResponseSettings response;
  ConnectionSettings connections;
  DnsSettings dns;
  FieldRules request_fields{FieldRules::Side::Request};
  FieldRules response_fields{FieldRules::Side::Response};
  std::vector<std::string> upgrade{"websocket"};  // protocols that a connection may change to
  std::size_t queue_size = 1024;
  milliseconds slow_start = 0ms;  // 0: a server that comes back has all of its share at once
};

/// The servers that `server` stands for: itself; or, of a name, one for each address that it has or may come to have.
/// Those are called NAME, NAME@2, NAME@3.
std::vector<ServerSettings> slots_of(const ServerSettings& server, const DnsSettings& dns);

struct RouteSettings {
  std::string host = "*";
  std::string path = "/";
  std::string pool;
};

struct LimitSettings {
  std::size_t connections = 10'000;
  std::size_t connections_per_client = 0;   // 0: no limit
  std::size_t requests_per_connection = 0;  // 0: none
  std::size_t client_min_rate_bytes = 100;  // a second
  std::size_t request_head_bytes = 16 * 1024;
  std::size_t request_target_bytes = 8 * 1024;
  std::size_t header_fields = 100;
  std::size_t request_body_bytes = 10 * 1024 * 1024;
};

struct ClientTimeouts {
  milliseconds head = 10s;
  milliseconds idle = 75s;
  milliseconds stall = 30s;
};

struct ShutdownSettings {
  milliseconds delay = 0s;
  milliseconds grace = 30s;
};

enum class AccessFormat : std::uint8_t { Json, Combined };
inline constexpr std::string_view kAccessToStdout = "stdout";

struct AccessLogSettings {
  std::string to;  // kAccessToStdout or a file; empty: nowhere
  AccessFormat format = AccessFormat::Json;
};

struct Settings {
  Address listen;
  Address admin;
  std::size_t recent_requests = 100;  // kept by each worker: of those that did not go well, and of the others; 0: none
  std::string admin_token;            // wanted of whoever changes state, always off loopback; empty: none is configured
  unsigned workers = 0;               // 0: one a core
  std::string log_level = "info";
  AccessLogSettings access_log;
  ShutdownSettings shutdown;
  std::vector<Network> trusted_proxies;
  LimitSettings limits;
  ClientTimeouts client;
  UpstreamTimeouts upstream;
  std::vector<PoolSettings> pools;
  std::vector<RouteSettings> routes;  // may be empty with one pool
};

}  // namespace holdfast::lb
