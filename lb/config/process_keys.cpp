#include "lb/config/process_keys.h"

#include "common/units.h"
#include "lb/config/values.h"

#include <charconv>
#include <string>

namespace holdfast::lb {
namespace {

constexpr std::string_view kListenAllowed =
    "address:port, [v6]:port, :port for all IPv4 addresses, or '*:port' (in quotes) for all IPv4 and IPv6 addresses";

Wrong parse_listen(Address& address, std::string_view text) {
  if (Wrong wrong = wrong_host_port(text)) return wrong;
  const auto parts = split_host_port(text);
  const std::string port = std::to_string(parts->port);
  // [::] takes IPv4 too. `:port` means IPv4 alone, as it always has: a socket that is handed over keeps its address.
  const auto parsed = Address::parse(parts->host == "*" ? "[::]:" + port : std::string(text));
  if (!parsed)
    return "not an IP address; write one of this machine's, for example 127.0.0.1:" + port + ", or '*:" + port + "'";
  address = *parsed;
  return std::nullopt;
}

}  // namespace

void describe(Keys& keys, ShutdownSettings& shutdown);
void describe(Keys& keys, LimitSettings& limits);

void describe(Keys& keys, ShutdownSettings& shutdown) {
  keys.add("delay", shutdown.delay, "after SIGTERM: not ready any more, yet accepting for so long", 0ms, 3'600'000ms);
  keys.add("grace", shutdown.grace, "then requests under way have so long to end", 0ms, 3'600'000ms);
}

void describe(Keys& keys, LimitSettings& limits) {
  keys.add(
      "connections", limits.connections,
      "clients' connections at a time, fewer where there are not the descriptors for so many; one more has an idle "
      "one closed for it, or waits",
      std::size_t{1}, std::size_t{1'000'000});
  keys.add("connections_per_client", limits.connections_per_client,
           "connections at a time from one address, or one /64 of IPv6; one more is answered 429 and closed; trusted "
           "proxies are exempt; 0: no limit",
           std::size_t{0}, std::size_t{1'000'000});
  keys.add("requests_per_connection", limits.requests_per_connection,
           "requests that a connection may bring; the last response says Connection: close; 0: no limit",
           std::size_t{0}, std::size_t{1'000'000'000});
  keys.add_size("client_min_rate", limits.client_min_rate_bytes,
                "bytes a second that a client must send of a body that is read, and take of a response that is there, "
                "over each timeouts.client_stall; 0: a single byte will do",
                0, 1024_MiB);
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
  keys.add("client_head", client.head, "a request's head has so long from its first byte, however it dribbles (408)",
           1ms, 3'600'000ms);
  keys.add("client_idle", client.idle, "a connection without request is closed after this", 1ms, 3'600'000ms);
  keys.add("client_stall", client.stall,
           "a client that sends or takes less than limits.client_min_rate over this is left (408)", 1ms, 3'600'000ms);
  keys.add("connect", upstream.connect, "a connection to a server has so long", 1ms, 600'000ms);
  keys.add("first_byte", upstream.first_byte, "a server has so long from the request's end to its response's head", 1ms,
           3'600'000ms);
  keys.add("idle", upstream.idle, "a response may stand still for so long", 1ms, 3'600'000ms);
  keys.add("tunnel", upstream.tunnel, "an upgraded connection may stand still for so long", 1ms, 86'400'000ms);
}

struct AdminView {
  Settings& settings;
};
void describe(Keys& keys, AdminView& view) {
  keys.add_scalar(
      "listen", "where metrics, health and the upstreams' state are served; off: nowhere",
      "off, " + std::string(kListenAllowed),
      [&view = view.settings.admin](std::string_view text) -> Wrong {
        if (text != "off") return parse_listen(view, text);
        view = Address{};
        return std::nullopt;
      },
      [&view = view.settings.admin] { return view.is_set() ? view.text() : std::string("off"); });
  keys.add("token", view.settings.admin_token,
           "wanted as 'Authorization: Bearer' of who changes state there or asks for clients' requests; off loopback "
           "nobody may without")
      .env("LB_ADMIN_TOKEN")
      .secret();
  keys.add(
      "recent_requests", view.settings.recent_requests,
      "so many requests that did not go well, and so many others, are kept by each worker for GET /requests; 0: none",
      std::size_t{0}, std::size_t{1'000});
}

struct LogView {
  Settings& settings;
};
void describe(Keys& keys, LogView& view) {
  keys.add_choice<std::string>("level", view.settings.log_level, "what is logged",
                               {{"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}});
  AccessLogSettings& access = view.settings.access_log;
  keys.add_scalar(
      "access", "a line for each request (docs/access-log.md)", "off, stdout, or a file, which SIGUSR1 begins anew",
      [&access](std::string_view text) -> Wrong {
        if (text.empty()) return "empty";
        access.to = text == "off" ? std::string_view{} : text;
        return std::nullopt;
      },
      [&access] { return access.to.empty() ? std::string("off") : access.to; });
  keys.add_choice("access_format", access.format, "how that line is written",
                  {{"json", AccessFormat::Json}, {"combined", AccessFormat::Combined}});
}

}  // namespace

void describe_process(Keys& keys, Settings& settings) {
  keys.add_scalar(
      "listen", "where clients connect", kListenAllowed,
      [&settings](std::string_view text) { return parse_listen(settings.listen, text); },
      [&settings] { return settings.listen.is_set() ? settings.listen.text() : std::string(); });
  AdminView admin{settings};
  keys.section("admin", admin, "the admin port; a single value is its listen, such as admin: off").short_form("listen");
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
  keys.section("log", log, "what is told of it; events go to stderr");
  keys.section("shutdown", settings.shutdown, "SIGTERM");
  keys.add_list(
      "trusted_proxies",
      "proxies whose Forwarded, X-Real-IP, X-Forwarded-* and X-Request-ID lb believes (docs/http.md)",
      "addresses and blocks such as 10.0.0.0/8", [&settings] { settings.trusted_proxies.clear(); },
      [&settings](std::string_view text) -> Wrong {
        if (text == "private_ranges") {
          return "write the blocks: 127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1/128, fd00::/8";
        }
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

}  // namespace holdfast::lb
