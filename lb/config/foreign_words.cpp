#include "lb/config/foreign_words.h"

namespace holdfast::lb {
namespace {

struct Word {
  std::string_view word;
  std::string_view meaning;  // the path of our key, or advice
};

/// Words of Caddy's reverse_proxy that mean the same here.
constexpr Word kAliases[] = {
    {"lb_policy", "policy"},
    {"lb_try_duration", "retry.deadline"},
    {"health_uri", "health.uri"},
    {"health_interval", "health.interval"},
    {"health_timeout", "health.timeout"},
    {"health_method", "health.method"},
    {"health_port", "health.port"},
    {"health_status", "health.status"},
    {"health_headers", "health.headers"},
    {"health_follow_redirects", "health.follow_redirects"},
    {"health_passes", "health.passes"},
    {"health_fails", "health.fails"},
    {"max_fails", "passive.max_fails"},
    {"unhealthy_status", "passive.statuses"},
    {"unhealthy_latency", "passive.latency"},
};

constexpr std::string_view kUpstreams = "write upstreams: [127.0.0.1:3001]";
constexpr std::string_view kSetRequest = "write headers: {request: {set: {NAME: VALUE}, remove: [NAME]}}";
constexpr std::string_view kSetResponse = "write headers: {response: {set: {NAME: VALUE}, remove: [NAME]}}";
constexpr std::string_view kRetries =
    "lb retries until a deadline, within a budget; write retry: {deadline: 5s, budget: {ratio: 20%}}";
constexpr std::string_view kNoTls = "lb does not support TLS yet";
constexpr std::string_view kRoutes = "write routes: [{host: example.com, path: /api, pool: NAME}]";
constexpr std::string_view kAccess = "write log: {access: FILE}";
constexpr std::string_view kMaxIdle = "write connections: {max_idle: 1024, idle_timeout: 4s}";

constexpr Word kHints[] = {
    // Caddy's reverse_proxy
    {"reverse_proxy", kUpstreams},
    {"to", kUpstreams},
    {"dynamic", "write a name in upstreams: lb uses each of its addresses and looks them up again after dns_refresh"},
    {"lb_retries", kRetries},
    {"lb_try_interval", "lb retries as soon as a server may get the request; remove this key"},
    {"lb_retry_match", "lb decides by method, Idempotency-Key and what the server received; see docs/retry.md"},
    {"health_path", "write health: {uri: /health}"},
    {"health_body", "Caddy's is a regular expression; write health: {body: TEXT} for text that the body must contain"},
    {"health_request_body", "probes have no body; remove this key"},
    {"health_upstream", "lb probes each server itself; write health: {port: 8081} for another port"},
    {"fail_duration",
     "write passive: {fail_window: 30s, eject_for: 30s}: how long a failure counts, and how long a "
     "server is ejected"},
    {"unhealthy_request_count",
     "write max_requests with each server: upstreams: [{address: 127.0.0.1:3001, "
     "max_requests: 100}]"},
    {"flush_interval", "lb passes streams on at once; write response: {buffer: 0B} to hold back nothing"},
    {"request_buffers", "write retry: {body_buffer: 64KiB}"},
    {"response_buffers", "write response: {buffer: 64KiB}"},
    {"buffer_requests", "write retry: {body_buffer: 64KiB}"},
    {"buffer_responses", "write response: {buffer: 64KiB}"},
    {"stream_timeout", "write timeouts: {tunnel: 1h}"},
    {"stream_close_delay", "write shutdown: {grace: 30s}"},
    {"header_up", kSetRequest},
    {"header_down", kSetResponse},
    {"method", "lb does not change the method of a request; remove this key"},
    {"rewrite", "lb does not change the target of a request; let the servers take it as it is"},
    {"handle_path", "lb does not change the target of a request; let the servers take it as it is"},
    {"handle_response", "lb does not replace responses; remove this key"},
    {"replace_status", "lb does not replace responses; remove this key"},
    {"copy_response", "lb does not replace responses; remove this key"},
    {"copy_response_headers", "lb does not replace responses; remove this key"},
    {"transport", "write timeouts: {connect: 500ms} and connections: {max_idle: 1024}"},
    {"verbose_logs", "write log: {level: debug}"},
    {"tls", kNoTls},
    // nginx
    {"upstream", kUpstreams},
    {"server", kUpstreams},
    {"proxy_pass", kUpstreams},
    {"server_name", kRoutes},
    {"location", kRoutes},
    {"worker_processes", "write workers: auto"},
    {"worker_connections", "write limits: {connections: 10000}"},
    {"least_conn", "write policy: least_requests"},
    {"ip_hash", "write policy: hash client_ip"},
    {"proxy_set_header", kSetRequest},
    {"add_header", kSetResponse},
    {"proxy_hide_header", kSetResponse},
    {"proxy_connect_timeout", "write timeouts: {connect: 500ms}"},
    {"proxy_read_timeout", "write timeouts: {first_byte: 30s, idle: 30s}"},
    {"proxy_send_timeout", "write timeouts: {idle: 30s}"},
    {"proxy_next_upstream", kRetries},
    {"proxy_next_upstream_tries", kRetries},
    {"proxy_next_upstream_timeout", "write retry: {deadline: 5s}"},
    {"proxy_buffering", "write response: {buffer: 64KiB}"},
    {"client_max_body_size", "write limits: {request_body: 10MiB}"},
    {"client_header_timeout", "write timeouts: {client_head: 10s}"},
    {"client_body_timeout", "write timeouts: {client_stall: 30s}"},
    {"keepalive_timeout", "write timeouts: {client_idle: 75s}"},
    {"keepalive", kMaxIdle},
    {"access_log", kAccess},
    {"error_log", "lb writes events to stderr; write log: {level: info}"},
    {"set_real_ip_from", "write trusted_proxies: [10.0.0.0/8]"},
    {"ssl_certificate", kNoTls},
    // HAProxy
    {"bind", "write listen: 127.0.0.1:8080"},
    {"frontend", "write listen: 127.0.0.1:8080, and routes for several pools"},
    {"backend", "write upstreams: [127.0.0.1:3001], or pools: {NAME: {upstreams: […]}} for several"},
    {"balance", "write policy: round_robin, least_requests, random, first or hash"},
    {"maxconn", "write limits: {connections: 10000}, or max_requests with a server"},
    {"mode", "lb is an HTTP proxy; remove this key"},
    {"global", "write its keys at the top level"},
    {"defaults", "write its keys at the top level"},
    {"option", "write health: {uri: /health} for httpchk, log: {access: stdout} for httplog; others need no key"},
    {"timeout", "write timeouts: {connect: 500ms, first_byte: 30s, client_idle: 75s}"},
    {"retries", kRetries},
    {"redispatch", "lb always retries on another server if there is one; remove this key"},
    {"nbthread", "write workers: auto"},
    {"stats", "write admin: {listen: 127.0.0.1:9900}"},
    {"acl", kRoutes},
    {"use_backend", kRoutes},
    {"default_backend", kRoutes},
};

constexpr Word kServerHints[] = {
    {"url", "write address: 127.0.0.1:3001"},
    {"host", "write address: 127.0.0.1:3001"},
    {"server", "write address: 127.0.0.1:3001"},
    {"dial", "write address: 127.0.0.1:3001"},
    {"max_conns", "write max_requests: 100"},
    {"maxconn", "write max_requests: 100"},
    {"max_fails", "write passive: {max_fails: 3} with the pool"},
    {"fail_timeout", "write passive: {fail_window: 10s, eject_for: 10s} with the pool"},
    {"slow_start", "write slow_start: 30s with the pool"},
    {"slowstart", "write slow_start: 30s with the pool"},
    {"check", "write health: {uri: /health} with the pool"},
    {"inter", "write health: {interval: 1s} with the pool"},
    {"rise", "write health: {passes: 1} with the pool"},
    {"fall", "write health: {fails: 2} with the pool"},
    {"down", "remove the server, or drain it at the admin port"},
    {"disabled", "remove the server, or drain it at the admin port"},
    {"ssl", kNoTls},
};

constexpr Word kPolicies[] = {
    {"cookie", "Caddy's policy sets a cookie, lb sets none; write hash cookie NAME for a cookie that the servers set"},
    {"uri_hash", "Caddy's policy includes the query; write hash path to hash the path alone"},
    {"query", "lb cannot hash a query parameter; write hash path"},
    {"random_choose", "write least_requests"},
    {"weighted_round_robin", "write round_robin, and weights in upstreams: [{address: 127.0.0.1:3001, weight: 2}]"},
    {"wrr", "write round_robin, and weights in upstreams: [{address: 127.0.0.1:3001, weight: 2}]"},
    {"roundrobin", "write round_robin"},
    {"static-rr", "write round_robin"},
    {"leastconn", "write least_requests"},
    {"least_time", "write least_requests"},
    {"source", "write hash client_ip"},
    {"uri", "write hash path"},
    {"hdr", "write hash header NAME"},
    {"url_param", "lb cannot hash a query parameter; write hash path"},
};

}  // namespace

void add_foreign_words(Keys& keys) {
  for (const Word& one : kAliases) keys.alias(one.word, one.meaning);
  for (const Word& one : kHints) keys.hint(one.word, one.meaning);
}

void add_foreign_server_words(Keys& keys) {
  for (const Word& one : kServerHints) keys.hint(one.word, one.meaning);
}

std::optional<std::string> foreign_policy_advice(std::string_view word) {
  for (const Word& one : kPolicies) {
    if (one.word == word || (word.starts_with(one.word) && word[one.word.size()] == '('))
      return std::string(one.meaning);
  }
  return std::nullopt;
}

}  // namespace holdfast::lb
