#include "lb/config.h"

#include "common/config/keys.h"
#include "common/net/resolver.h"
#include "common/units.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <thread>

namespace holdfast::lb {
namespace {

constexpr std::string_view kAddressAllowed = "host:port or [v6]:port";
constexpr std::string_view kStatusAllowed = "a status or range of them, such as 204 or 200-299";

Wrong parse_listen(Address& address, std::string_view text) {
  const auto parsed = Address::parse(text);
  if (!parsed) return std::string(parsed.error().why);
  address = *parsed;
  return std::nullopt;
}

Wrong parse_status(std::vector<StatusRange>& ranges, std::string_view text) {
  const auto number = [](std::string_view digits) {
    int value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return problem == std::errc{} && end == digits.data() + digits.size() && value >= 100 && value <= 599 ? value : 0;
  };
  const auto dash = text.find('-');
  const StatusRange range{number(text.substr(0, dash)), number(dash == text.npos ? text : text.substr(dash + 1))};
  if (range.first == 0 || range.last < range.first) return "not a status";
  ranges.push_back(range);
  return std::nullopt;
}

std::vector<std::string> print_status(const std::vector<StatusRange>& ranges) {
  std::vector<std::string> texts;
  for (const StatusRange& range : ranges) {
    const std::string first = std::to_string(range.first);
    texts.push_back(range.first == range.last ? first : first + "-" + std::to_string(range.last));
  }
  return texts;
}

Keys::Added add_status(Keys& keys, std::string_view name, std::vector<StatusRange>& ranges, std::string_view help) {
  return keys.add_list(
      name, help, kStatusAllowed, [&ranges] { ranges.clear(); },
      [&ranges](std::string_view text) { return parse_status(ranges, text); },
      [&ranges] { return print_status(ranges); });
}

/// A name or an address, with its port; names are resolved once all has been read.
Wrong parse_authority(ServerSettings& server, std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts) return std::string(parts.error().why);
  if (parts->host.empty() || parts->port == 0) return "not a server's host and port";
  for (const char c : parts->host) {
    if (c <= ' ' || c == '/' || c == 0x7f) return "not a host name";
  }
  server.authority = text;
  if (server.name.empty()) server.name = text;
  return std::nullopt;
}

}  // namespace

void describe(Keys& keys, ServerSettings& server);
void describe(Keys& keys, HealthSettings& health);
void describe(Keys& keys, PassiveSettings& passive);
void describe(Keys& keys, RetrySettings& retry);
void describe(Keys& keys, ResponseSettings& response);
void describe(Keys& keys, ConnectionSettings& connections);
void describe(Keys& keys, PoolSettings& pool);
void describe(Keys& keys, ShutdownSettings& shutdown);
void describe(Keys& keys, LimitSettings& limits);

void describe(Keys& keys, ServerSettings& server) {
  keys.add_scalar(
      "address", "where it listens", kAddressAllowed,
      [&server](std::string_view text) { return parse_authority(server, text); },
      [&server] { return server.authority; });
  keys.add("name", server.name, "what logs and metrics call it; its address where left out");
  keys.add("weight", server.weight, "its share of the requests, beside the others'", 1U, 1000U);
}

void describe(Keys& keys, HealthSettings& health) {
  keys.add("uri", health.uri, "path of a probe; left out: no active checks").check([&health]() -> Wrong {
    if (health.uri.empty() ||
        (health.uri.front() == '/' && health.uri.find_first_of(" \t\r\n#") == std::string::npos)) {
      return std::nullopt;
    }
    return "'" + health.uri + "' is not a path; allowed: a path such as /health";
  });
  keys.add_choice<std::string>("method", health.method, "method of a probe",
                               {{"GET", "GET"}, {"HEAD", "HEAD"}, {"OPTIONS", "OPTIONS"}});
  keys.add("host", health.host, "Host of a probe; left out: the server's address");
  keys.add("interval", health.interval, "time between two probes of a server", 10ms, 3'600'000ms);
  keys.add("timeout", health.timeout, "a probe without an answer fails after this", 1ms, 60'000ms);
  keys.add("passes", health.passes, "so many passes in a row make a server healthy", 1U, 100U);
  keys.add("fails", health.fails, "so many fails in a row make it unhealthy", 1U, 100U);
  add_status(keys, "status", health.status, "the statuses of a pass");
  keys.add("body", health.body, "text that the answer's body must contain");
  keys.add("port", health.port, "port of a probe; 0: the server's own", 0, 65535);
}

void describe(Keys& keys, PassiveSettings& passive) {
  keys.add(
      "max_fails", passive.max_fails,
      "so many failed attempts within fail_window eject a server (a refused connection does by itself); 0: none do", 0U,
      1000U);
  keys.add("fail_window", passive.fail_window, "how long a failed attempt counts", 100ms, 3'600'000ms);
  keys.add("eject_for", passive.eject_for, "length of the first ejection; each one in a row is twice as long", 10ms,
           3'600'000ms);
  keys.add("eject_max", passive.eject_max, "length of the longest ejection", 10ms, 3'600'000ms);
}

void describe(Keys& keys, RetrySettings& retry) {
  keys.add("deadline", retry.deadline, "time from the end of a request's head in which a new attempt may start", 0ms,
           600'000ms);
  add_status(keys, "statuses", retry.statuses, "answers without Retry-After that are tried elsewhere");
  keys.add_size("body_buffer", retry.body_buffer_bytes, "a request's body is kept up to this for another attempt", 0,
                16_MiB);
}

void describe(Keys& keys, ResponseSettings& response) {
  keys.add_size("buffer", response.buffer_bytes,
                "responses up to this are held until whole, so that a server that dies "
                "meanwhile is not noticed",
                0, 16_MiB);
  keys.add("hold", response.hold, "a chunked response is held at most so long", 0ms, 10'000ms);
}

void describe(Keys& keys, ConnectionSettings& connections) {
  keys.add("max_idle", connections.max_idle, "idle connections kept to each server by each worker", std::size_t{0},
           std::size_t{10'000});
  keys.add("idle_timeout", connections.idle_timeout, "an idle connection is closed after this", 1ms, 3'600'000ms);
}

namespace {

struct QueueView {
  PoolSettings& pool;
};
void describe(Keys& keys, QueueView& queue) {
  keys.add("size", queue.pool.queue_size, "requests that may wait for a server, in each worker", std::size_t{0},
           std::size_t{1'000'000});
}

/// The keys of a pool; at the top level too, where there is one pool without a name.
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
  keys.add_choice<Policy>("policy", pool.policy, "who gets the next request", {{"round_robin", Policy::RoundRobin}});
  keys.section("health", pool.health, "active checks");
  keys.section("passive", pool.passive, "failures that clients meet");
  keys.section("retry", pool.retry, "when an attempt fails");
  keys.section("response", pool.response, "holding responses");
  QueueView queue{pool};
  keys.section("queue", queue, "requests without a server");
  keys.section("connections", pool.connections, "keep-alive to the servers");
  // The words of a Caddyfile's reverse_proxy.
  keys.alias("lb_policy", "policy");
  keys.alias("lb_try_duration", "retry.deadline");
  keys.alias("health_uri", "health.uri");
  keys.alias("health_interval", "health.interval");
  keys.alias("health_timeout", "health.timeout");
  keys.alias("health_method", "health.method");
  keys.alias("health_port", "health.port");
  keys.alias("health_status", "health.status");
  keys.alias("health_passes", "health.passes");
  keys.alias("health_fails", "health.fails");
  keys.alias("fail_duration", "passive.eject_for");
  keys.alias("max_fails", "passive.max_fails");
}

}  // namespace

void describe(Keys& keys, PoolSettings& pool) { describe_pool(keys, pool); }

void describe(Keys& keys, ShutdownSettings& shutdown) {
  keys.add("delay", shutdown.delay, "after SIGTERM: not ready any more, yet accepting for so long", 0ms, 3'600'000ms);
  keys.add("grace", shutdown.grace, "then requests under way have so long to end", 0ms, 3'600'000ms);
}

void describe(Keys& keys, LimitSettings& limits) {
  keys.add("connections", limits.connections, "clients' connections at a time", std::size_t{1}, std::size_t{1'000'000});
  keys.add_size("request_head", limits.request_head_bytes, "bytes of a request's head (431)", 256, 1_MiB);
  keys.add_size("request_target", limits.request_target_bytes, "bytes of a request target (414)", 64, 1_MiB);
  keys.add("header_fields", limits.header_fields, "fields of a request (431)", std::size_t{1}, std::size_t{256});
  keys.add_size("request_body", limits.request_body_bytes, "bytes of a request's body (413)", 0, std::size_t{1} << 40);
}

namespace {

struct TimeoutsView {
  Settings& settings;
};
void describe(Keys& keys, TimeoutsView& view) {
  ClientTimeouts& client = view.settings.client;
  UpstreamTimeouts& upstream = view.settings.upstream;
  keys.add("client_head", client.head, "a request's head has so long from its first byte (408)", 1ms, 3'600'000ms);
  keys.add("client_idle", client.idle, "a connection without request is closed after this", 1ms, 3'600'000ms);
  keys.add("client_stall", client.stall, "a client that neither sends nor takes what is due is left after this", 1ms,
           3'600'000ms);
  keys.add("connect", upstream.connect, "a connection to a server has so long", 1ms, 600'000ms);
  keys.add("first_byte", upstream.first_byte, "a server has so long from the request's end to its response's head", 1ms,
           3'600'000ms);
  keys.add("idle", upstream.idle, "a response may stand still for so long", 1ms, 3'600'000ms);
}

struct AdminView {
  Settings& settings;
};
void describe(Keys& keys, AdminView& view) {
  keys.add_scalar(
      "listen", "where metrics, health and the upstreams' state are served", kAddressAllowed,
      [&view = view.settings.admin](std::string_view text) { return parse_listen(view, text); },
      [&view = view.settings.admin] { return view.is_set() ? view.text() : std::string(); });
}

struct LogView {
  Settings& settings;
};
void describe(Keys& keys, LogView& view) {
  keys.add_choice<std::string>("level", view.settings.log_level, "what is logged",
                               {{"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}});
}

void describe_all(Keys& keys, Settings& settings) {
  keys.add_scalar(
      "listen", "where clients connect", kAddressAllowed,
      [&settings](std::string_view text) { return parse_listen(settings.listen, text); },
      [&settings] { return settings.listen.is_set() ? settings.listen.text() : std::string(); });
  AdminView admin{settings};
  keys.section("admin", admin, "the admin port");
  keys.add_scalar(
      "workers", "threads that serve clients", "auto (one a core), or 1 to 256",
      [&settings](std::string_view text) -> Wrong {
        unsigned count = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
        const bool is_count = problem == std::errc{} && end == text.data() + text.size() && count >= 1 && count <= 256;
        if (!is_count && text != "auto") return "neither";
        settings.workers = is_count ? count : 0;
        return std::nullopt;
      },
      [&settings] { return settings.workers == 0 ? std::string("auto") : std::to_string(settings.workers); });
  LogView log{settings};
  keys.section("log", log, "logs, on stderr");
  keys.section("shutdown", settings.shutdown, "SIGTERM");
  keys.add_list(
      "trusted_proxies", "clients whose X-Forwarded-* and X-Request-ID are believed",
      "addresses and blocks such as 10.0.0.0/8", [&settings] { settings.trusted_proxies.clear(); },
      [&settings](std::string_view text) -> Wrong {
        const auto network = Network::parse(text);
        if (!network) return std::string(network.error().why);
        settings.trusted_proxies.push_back(*network);
        return std::nullopt;
      },
      [&settings] {
        std::vector<std::string> texts;
        for (const Network& network : settings.trusted_proxies) texts.push_back(network.text());
        return texts;
      });
  keys.section("limits", settings.limits, "bounds");
  TimeoutsView timeouts{settings};
  keys.section("timeouts", timeouts, "how long who may take");
}

/// Both shapes of the file: `pools:` with names, or one pool's keys at the top level.
struct Reading {
  Settings settings;
  PoolSettings single;
  Keys keys;

  Reading() {
    settings.admin = *Address::parse("127.0.0.1:9900");
    single.name = "default";
    describe_all(keys, settings);
    describe_pool(keys, single);
    keys.map("pools", settings.pools, "servers in groups; left out: upstreams and the keys beside it make one pool")
        .check([this]() -> Wrong {
          if (settings.pools.size() > 1) return "more than one pool, and nothing to choose between them; keep one";
          if (!single.servers.empty() && !settings.pools.empty())
            return "both pools and upstreams; keep one of the two";
          return std::nullopt;
        });
  }

  LoadedConfig finish(const std::string& name, std::vector<std::string> errors) {
    if (settings.pools.empty()) settings.pools.push_back(single);
    if (!errors.empty()) return {std::move(settings), std::move(errors)};
    if (!settings.listen.is_set()) {
      errors.push_back(name + ": listen: missing; say where clients connect, for example 'listen: 127.0.0.1:8080'");
    }
    for (PoolSettings& pool : settings.pools) {
      if (pool.servers.empty()) {
        errors.push_back(name +
                         ": upstreams: missing; name at least one server, for example 'upstreams: [127.0.0.1:3001]'");
      }
      for (ServerSettings& server : pool.servers) {
        const auto address = resolve_now(server.authority);
        if (address) {
          server.address = *address;
        } else {
          errors.push_back(name + ": upstreams: '" + server.authority + "': " + std::string(address.error().why));
        }
      }
    }
    return {std::move(settings), std::move(errors)};
  }
};

}  // namespace

LoadedConfig load_config(const std::string& file) {
  Reading reading;
  return reading.finish(file, read_config(file, reading.keys));
}

LoadedConfig load_config_text(const std::string& name, const std::string& text) {
  Reading reading;
  return reading.finish(name, read_config_text(name, text, reading.keys));
}

std::string dump_config(Settings& settings) {
  Keys keys;
  describe_all(keys, settings);
  keys.map("pools", settings.pools, "");
  return dump_config(keys);
}

std::string config_reference() {
  Reading reading;
  return config_reference(reading.keys);
}

}  // namespace holdfast::lb
