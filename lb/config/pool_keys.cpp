#include "lb/config/pool_keys.h"

#include "common/http/rules.h"
#include "common/units.h"
#include "lb/config/foreign_words.h"
#include "lb/config/health_keys.h"
#include "lb/config/values.h"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <set>
#include <string>

namespace holdfast::lb {
namespace {

constexpr std::string_view kServerAllowed = "host:port or [v6]:port";
constexpr std::string_view kPolicyAllowed =
    "round_robin, least_requests (also least_conn), random, first, hash client_ip (also ip_hash, client_ip_hash), "
    "hash path, hash header NAME (also header NAME), hash cookie NAME";

/// A name or an address, with its port; names are resolved once all has been read.
Wrong parse_authority(ServerSettings& server, std::string_view text) {
  if (Wrong wrong = wrong_host_port(text)) return wrong;
  const auto parts = split_host_port(text);
  if (parts->host.empty() || parts->host == "*") {
    return "no host; write where the server listens, for example 127.0.0.1:" + std::to_string(parts->port);
  }
  if (parts->port == 0) return "no server listens on port 0; write its port";
  const bool may_have_scope = text.starts_with('[');  // [fe80::1%eth0]:3001
  const bool is_name = std::none_of(parts->host.begin(), parts->host.end(), [may_have_scope](char c) {
    if (c == '%') return !may_have_scope;
    return c <= ' ' || c == 0x7f || std::string_view("*{}$<>\"'\\()[]|").find(c) != std::string_view::npos;
  });
  if (!is_name) return "not a host name; write a name or an IP address, for example 127.0.0.1:3001";
  server.authority = text;
  if (server.name.empty()) server.name = text;
  return std::nullopt;
}

/// `hash header X-User`, and a Caddyfile's words for the same.
Wrong parse_policy(PolicySettings& policy, std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (words.empty()) return "empty";
  struct Word {
    std::string_view word;
    Policy policy;
  };
  constexpr Word kWords[] = {{"round_robin", Policy::RoundRobin},
                             {"least_requests", Policy::LeastRequests},
                             {"least_conn", Policy::LeastRequests},
                             {"random", Policy::Random},
                             {"first", Policy::First},
                             {"hash", Policy::Hash}};
  struct Source {
    std::string_view word;
    HashSource source;
    bool is_named;
  };
  constexpr Source kSources[] = {
      {"client_ip", HashSource::ClientIp, false}, {"client_ip_hash", HashSource::ClientIp, false},
      {"ip_hash", HashSource::ClientIp, false},   {"path", HashSource::Path, false},
      {"header", HashSource::Header, true},       {"cookie", HashSource::Cookie, true}};
  std::size_t at = 0;
  for (const Word& one : kWords) {
    if (one.word != words[0]) continue;
    policy = {.policy = one.policy, .source = {}, .name = {}};
    if (one.policy != Policy::Hash) return words.size() == 1 ? std::nullopt : Wrong("a word too many");
    at = 1;
  }
  if (at == 0) {
    if (Wrong advice = foreign_policy_advice(words[0])) return advice;
  }
  for (const Source& one : kSources) {
    if (at >= words.size() || one.word != words[at]) continue;
    if (words.size() != at + (one.is_named ? 2U : 1U)) return one.is_named ? "its name is missing" : "a word too many";
    const Wrong wrong =
        one.is_named ? wrong_field_name(words[at + 1]) : std::nullopt;  // a cookie's name is a token too
    if (wrong) return wrong;
    policy = {.policy = Policy::Hash, .source = one.source, .name = one.is_named ? std::string(words[at + 1]) : ""};
    return std::nullopt;
  }
  return at == 1 ? "hash by what?" : "no such policy";
}

/// `off`, `50ms`, `p95`.
Wrong parse_hedge_after(HedgeSettings& hedge, std::string_view text) {
  hedge.is_on = text != "off";
  hedge.quantile = 0;
  hedge.after = milliseconds(0);
  if (!hedge.is_on) return std::nullopt;
  if (text.starts_with('p')) {
    double percent = 0;
    const auto [end, problem] = std::from_chars(text.data() + 1, text.data() + text.size(), percent);
    if (problem != std::errc{} || end != text.data() + text.size() || percent < 50 || percent > 99.9) {
      return "not a quantile from p50 to p99.9";
    }
    hedge.quantile = percent / 100;
    return std::nullopt;
  }
  const auto after = parse_duration(text);
  if (!after || *after < 1ms || *after > 60s) return "not a duration from 1ms to 60s";
  hedge.after = *after;
  return std::nullopt;
}

std::string print_hedge_after(const HedgeSettings& hedge) {
  if (!hedge.is_on) return "off";
  return hedge.quantile == 0 ? print_duration(hedge.after) : fmt::format("p{:g}", hedge.quantile * 100);
}

struct QueueView {
  PoolSettings& pool;
};

struct HeadersView {
  PoolSettings& pool;
};

}  // namespace

void describe(Keys& keys, FieldRules& rules);
void describe(Keys& keys, ServerSettings& server);
void describe(Keys& keys, BudgetSettings& budget);
void describe(Keys& keys, RetrySettings& retry);
void describe(Keys& keys, HedgeSettings& hedge);
void describe(Keys& keys, ResponseSettings& response);
void describe(Keys& keys, ConnectionSettings& connections);

void describe(Keys& keys, FieldRules& rules) {
  keys.add_pairs(
      "set", "fields that go on with this value, whatever the message says", "a map of names to values",
      [&rules] { rules.clear_set(); },
      [&rules](std::string_view name, std::string_view value) { return rules.set(name, value); },
      [&rules] { return rules.fields_set(); });
  keys.add_pairs(
      "add", "fields that go on beside those of the message", "a map of names to values or lists of them",
      [&rules] { rules.clear_add(); },
      [&rules](std::string_view name, std::string_view value) { return rules.add(name, value); },
      [&rules] { return rules.fields_added(); });
  keys.add_list(
      "remove", "fields that do not go on", "names of fields", [&rules] { rules.clear_remove(); },
      [&rules](std::string_view name) { return rules.remove(name); }, [&rules] { return rules.names_removed(); });
  if (rules.side() != FieldRules::Side::Request) return;
  keys.add("underscores", rules.passes_underscores,
           "Passes fields with an underscore in their name. By default lb removes them, because CGI, WSGI and similar "
           "servers cannot tell X_Real_IP from X-Real-IP.");
}

void describe(Keys& keys, ServerSettings& server) {
  keys.add_scalar(
      "address", "where it listens", kServerAllowed,
      [&server](std::string_view text) { return parse_authority(server, text); },
      [&server] { return server.authority; });
  keys.add("name", server.name, "what logs and metrics call it; its address where left out");
  keys.add("weight", server.weight, "its share of the requests, beside the others'", 1U, 1000U);
  keys.add("max_requests", server.max_requests,
           "requests at a time, over all workers; those beyond wait in the queue; 0: any number", 0U, 1'000'000U);
  keys.add("backup", server.is_backup, "gets requests only while no other is healthy");
  add_foreign_server_words(keys);
}

void describe(Keys& keys, BudgetSettings& budget) {
  keys.add_percent("ratio", budget.percent, "retries beside the requests of the last 10 s", 0, 1000);
  keys.add("min_per_second", budget.min_per_second, "and so many a second in any case", 0U, 1'000'000U);
}

void describe(Keys& keys, RetrySettings& retry) {
  keys.add("deadline", retry.deadline, "time from the end of a request's head in which a new attempt may start", 0ms,
           600'000ms);
  keys.add("per_try", retry.per_try,
           "an attempt has so long to its response's head, the last one too; 0: all of timeouts.first_byte", 0ms,
           3'600'000ms);
  keys.section(
      "budget", retry.budget,
      "Load that retries may add, per worker. Beyond it they wait. Failed connections, except for a shortage of "
      "lb itself, and requests that no server has seen are free");
  keys.add("prove_undelivered", retry.prove_undelivered,
           "retry a request of any method if its reused connection ended with FIN and then a reset, and the server "
           "acknowledged no byte of it. Only for servers that read nothing after they half-closed a connection");
  keys.add("assign_idempotency_key", retry.assign_idempotency_key,
           "give a POST or PATCH without Idempotency-Key one of its own, so that it can be repeated; only for servers "
           "that honour the field");
  keys.section(
      "idempotency_probe", retry.idempotency_probe,
      "where keys are assigned: a POST that is sent twice with one key before anybody is served, to two servers "
      "where there are two; lb does not start where the answers differ, or the first is no success");
  add_status(keys, "statuses", retry.statuses, "answers without Retry-After that are tried elsewhere");
  keys.add_size("body_buffer", retry.body_buffer_bytes, "a request's body is kept up to this for another attempt", 0,
                16_MiB);
}

void describe(Keys& keys, HedgeSettings& hedge) {
  keys.add_scalar(
      "after",
      "an attempt that has not begun to be answered after so long is made at a second server too; off: none is",
      "off, a duration such as 50ms, or a quantile from p50 to p99.9 of the pool's times to the first byte",
      [&hedge](std::string_view text) { return parse_hedge_after(hedge, text); },
      [&hedge] { return print_hedge_after(hedge); });
  keys.add_percent("max", hedge.max_percent, "hedges beside the requests that may be hedged, in each worker", 1, 100);
  keys.add_list(
      "methods", "requests that may be hedged; what two servers do at the same time must be as good as once",
      "GET, HEAD, OPTIONS, PUT, DELETE", [&hedge] { hedge.methods.clear(); },
      [&hedge](std::string_view text) -> Wrong {
        const Method method = method_from(text);
        if (method == Method::Other || !is_idempotent(method)) return "not an idempotent method";
        hedge.methods.push_back(method);
        return std::nullopt;
      },
      [&hedge] {
        std::vector<std::string> names;
        for (const Method method : hedge.methods) names.emplace_back(method_name(method));
        return names;
      });
}

void describe(Keys& keys, ResponseSettings& response) {
  keys.add_size("buffer", response.buffer_bytes,
                "responses up to this are held until whole, so that a server that dies "
                "meanwhile is not noticed",
                0, 16_MiB);
  keys.add("hold", response.hold, "a chunked response is held at most so long", 0ms, 10'000ms);
}

void describe(Keys& keys, ConnectionSettings& connections) {
  keys.add("max_idle", connections.max_idle,
           "idle connections kept to each server by each worker, of those that were in use at once; fewer suit a "
           "server with a process for each connection",
           std::size_t{0}, std::size_t{10'000});
  keys.add("idle_timeout", connections.idle_timeout, "an idle connection is closed after this", 1ms, 3'600'000ms);
}

namespace {

void describe(Keys& keys, HeadersView& view) {
  keys.section("request", view.pool.request_fields,
               "of a request on its way to a server; Host may be set, and what lb says itself (X-Forwarded-*, "
               "X-Request-ID, Via) like any other");
  keys.section("response", view.pool.response_fields,
               "of a server's response on its way to the client; lb's own answers stay as they are");
}

void describe(Keys& keys, QueueView& queue) {
  keys.add("size", queue.pool.queue_size, "requests that may wait for a server, in each worker", std::size_t{0},
           std::size_t{1'000'000});
}

}  // namespace

void describe_pool(Keys& keys, PoolSettings& pool) {
  keys.list_of<ServerSettings>(
          "upstreams", pool.servers, "the servers", "a list of host:port, or of sections with address, name and weight",
          [](ServerSettings& server, std::string_view text) { return parse_authority(server, text); })
      .check([&pool]() -> Wrong {
        std::set<std::string> names;
        for (const ServerSettings& server : pool.servers) {
          if (server.authority.empty()) return "a server without address";
          if (!names.insert(server.name).second)
            return "two servers are called '" + server.name + "'; give each a name";
        }
        return std::nullopt;
      });
  keys.add("dns_refresh", pool.dns.refresh,
           "a server given by name is looked up again after so long: each of its addresses is a server, one that it no "
           "longer has is drained; 0: never",
           0ms, 86'400'000ms);
  keys.add("dns_addresses", pool.dns.addresses, "addresses of one name that are used at a time", 1U, 128U);
  keys.add_scalar(
      "policy", "who gets the next request", kPolicyAllowed,
      [&pool](std::string_view text) { return parse_policy(pool.policy, text); },
      [&pool] { return pool.policy.text(); });
  keys.add("slow_start", pool.slow_start,
           "a server that comes back gets a tenth of its share at first, all of it after this; not at start-up. "
           "0: all of it at once",
           0ms, 3'600'000ms);
  keys.section("health", pool.health, "active checks");
  keys.section("passive", pool.passive, "failures that clients meet");
  keys.section("retry", pool.retry, "when an attempt fails");
  keys.section("hedge", pool.hedge,
               "a second attempt beside one that is slow; whoever begins to answer first is heard");
  keys.section("response", pool.response, "holding responses");
  HeadersView headers{pool};
  keys.section("headers", headers,
               "changes of header fields; those of framing and of the connection, and Idempotency-Key, are lb's own");
  QueueView queue{pool};
  keys.section("queue", queue, "requests without a server");
  keys.section("connections", pool.connections, "keep-alive to the servers");
  keys.add_list(
      "upgrade", "protocols that a client may change its connection to; the empty list: none",
      "names such as websocket", [&pool] { pool.upgrade.clear(); },
      [&pool](std::string_view text) -> Wrong {
        const bool is_name = !text.empty() && text.find_first_of(" \t,;\"") == text.npos;
        if (!is_name) return "not the name of a protocol";
        // What is behind an upgrade to another HTTP would pass unread.
        if (text.starts_with("h2") || text.starts_with("HTTP"))
          return "another HTTP cannot be looked into; leave it out";
        pool.upgrade.emplace_back(text);
        return std::nullopt;
      },
      [&pool] { return pool.upgrade; });
  add_foreign_words(keys);
}

void describe(Keys& keys, PoolSettings& pool) { describe_pool(keys, pool); }

}  // namespace holdfast::lb
