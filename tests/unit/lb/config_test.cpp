#include "lb/config.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace holdfast::lb;

namespace {

Settings read(const std::string& text) {
  LoadedConfig loaded = load_config_text("lb.yaml", "listen: 127.0.0.1:80\n" + text);
  REQUIRE(loaded.errors.empty());
  return loaded.settings;
}

std::string changes(const std::string& before, const std::string& after) {
  Settings one = read(before);
  Settings other = read(after);
  std::string text;
  for (const holdfast::ConfigChange& change : config_changes(one, other)) {
    text += change.key + ": " + change.before + " -> " + change.after + (is_fixed(change) ? " (fixed)" : "") + "\n";
  }
  return text;
}

const std::string kOne = "upstreams: [127.0.0.1:1]\n";

/// All errors of a file that has `text` after a `listen` line.
std::string errors(const std::string& text) {
  std::string all;
  for (const std::string& error : load_config_text("lb.yaml", "listen: 127.0.0.1:80\n" + text).errors) {
    all += error + "\n";
  }
  return all;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a configuration is no other than itself, however it is written") {
  CHECK(changes(kOne, kOne).empty());
  CHECK(changes(kOne, "pools: {default: {upstreams: ['127.0.0.1:1']}}\nretry: {}\n").empty());
}

TEST_CASE("what differs is named with both values") {
  CHECK(changes(kOne, kOne + "policy: random\nretry: {deadline: 7s}\n") ==
        "pools.default.policy: round_robin -> random\npools.default.retry.deadline: 5s -> 7s\n");
  CHECK(changes(kOne, "upstreams: [127.0.0.1:1, 127.0.0.1:2]\n").find("127.0.0.1:2") != std::string::npos);
}

TEST_CASE("a pool that comes has no values before, one that goes none after") {
  const std::string two =
      "pools: {a: {upstreams: [127.0.0.1:1]}, b: {upstreams: [127.0.0.1:2]}}\n"
      "routes: [{path: /, pool: a}, {path: /b, pool: b}]\n";
  const std::string one = "pools: {a: {upstreams: [127.0.0.1:1]}}\nroutes: [{path: /, pool: a}]\n";
  CHECK(changes(one, two).find("pools.b.policy:  -> round_robin\n") != std::string::npos);
  CHECK(changes(two, one).find("pools.b.policy: round_robin -> \n") != std::string::npos);
  CHECK(changes(two, one).find("pools.a.") == std::string::npos);
}

TEST_CASE("of a secret it is told that it differs, and what a running process keeps is known as fixed") {
  CHECK(changes(kOne, kOne + "admin: {token: verysecret}\n") == "admin.token:  -> (hidden) (fixed)\n");
  CHECK(changes(kOne, kOne + "workers: 3\n") == "workers: auto -> 3 (fixed)\n");
  CHECK(changes(kOne, kOne + "limits: {connections: 7}\n") == "limits.connections: 10000 -> 7 (fixed)\n");
  CHECK(changes(kOne, kOne + "log: {access: stdout}\n") == "log.access: off -> stdout (fixed)\n");
  CHECK(changes(kOne, kOne + "log: {level: debug}\nshutdown: {grace: 1s}\n") ==
        "log.level: info -> debug\nshutdown.grace: 30s -> 1s\n");
}

TEST_CASE("a wildcard in the path of a route works as a trailing /* and nowhere else") {
  const auto route = [](const std::string& path) { return kOne + "routes: [{path: '" + path + "', pool: default}]\n"; };
  CHECK(read(route("/api/*")).routes.front().path == "/api/*");
  CHECK(read(route("/%61pi/*")).routes.front().path == "/api/*");
  CHECK(read(route("/*")).routes.front().path == "/");
  Settings settings = read(route("/api/*"));
  CHECK(has(dump_config(settings), "path: /api/*"));
  for (const char* path : {"/api*", "/api/*.php", "/api/*/x", "/api/**", "/api/*/*"}) {
    CAPTURE(path);
    CHECK(has(errors(route(path)), "write /api to match it and all paths below it, or /api/* to match only"));
  }
  for (const char* path : {"*", "/**", "*/x", "*.php", "/*/x"}) {
    CAPTURE(path);
    CHECK(has(errors(route(path)), "write / to match every path"));
  }
  CHECK(has(errors(kOne + "routes: [{path: /a/*, pool: default}, {path: /a//*, pool: default}]\n"),
            "the same host and path as routes[0]"));
}

TEST_CASE("a placeholder in a header value, and an operator in a header name, are errors that say what to write") {
  for (const char* section :
       {"headers: {request: {set: ", "headers: {request: {add: ", "headers: {response: {set: ",
        "headers: {response: {add: ", "health: {headers: ", "retry: {idempotency_probe: {headers: "}) {
    CAPTURE(section);
    std::string line = kOne + section + "{X-Real-IP: '{remote_host}'}";
    line += std::string(static_cast<std::size_t>(std::count(line.begin(), line.end(), '{')) -
                            static_cast<std::size_t>(std::count(line.begin(), line.end(), '}')),
                        '}');
    CHECK(has(errors(line), "lb has no placeholders yet and would send {remote_host} literally"));
  }
  CHECK(has(errors(kOne + "headers: {response: {set: {-Server: ''}}}\n"), "write remove: [Server]"));
  CHECK(has(errors(kOne + "headers: {response: {remove: ['X-*']}}\n"), "write each name in full"));
  CHECK(has(errors(kOne + "policy: 'hash header X-User:'\n"), "without the colon"));
  CHECK(has(errors(kOne + "policy: 'hash cookie a=b'\n"), "not the name of"));
  CHECK(has(errors(kOne + "health: {host: '{upstream_hostport}'}\n"), "lb has no placeholders yet"));
  CHECK(has(errors(kOne + "health: {host: 'a b'}\n"), "is not a host"));
}

TEST_CASE("an upstream that is no host:port is an error that names the mistake and what to write") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"http://127.0.0.1:3001", "a URL; write host:port, for example 127.0.0.1:3001"},
      {"http://app.example/", "a URL; write host:port, for example app.example:80"},
      {"http://[::1]:3001/api?x", "a URL; write host:port, for example [::1]:3001"},
      {"h2c://app:3001", "a URL; write host:port, for example app:3001"},
      {"https://app.example:443", "a URL with TLS, which lb does not support yet"},
      {"unix:/run/app.sock", "a Unix socket, which lb does not support yet; use a TCP port"},
      {"unix//run/app.sock", "a Unix socket, which lb does not support yet"},
      {"/run/app.sock", "a Unix socket, which lb does not support yet"},
      {"127.0.0.1:3001/api", "a path after the address; write only host:port, here 127.0.0.1:3001"},
      {"127.0.0.1:3001 weight=2", "more than one address, or options beside it"},
      {"127.0.0.1:3001-3003",
       "a range of ports; write each port as an element of its own, beginning with 127.0.0.1:3001"},
      {"3001", "no host; write host:port, for example 127.0.0.1:3001"},
      {":3001", "no host; write where the server listens, for example 127.0.0.1:3001"},
      {"*:3001", "no host; write where the server listens"},
      {"app", "no port; write host:port, for example app:80"},
      {"[::1]", "no port; write host:port, for example [::1]:80"},
      {"::1", "an IPv6 address needs brackets: write [::1]:80"},
      {"app:http", "the port is not a number"},
      {"app:0", "no server listens on port 0"},
      {"{$APP}:80", "not a host name"},
      {"", "empty; write host:port"},
  };
  for (const auto& [upstream, expected] : rows) {
    for (const std::string& text :
         {"upstreams: ['" + upstream + "']\n", "upstreams: [{address: '" + upstream + "'}]\n"}) {
      CAPTURE(text);
      const std::string all = errors(text);
      CAPTURE(all);
      CHECK(has(all, ": '" + upstream + "': " + expected));
      CHECK(std::count(all.begin(), all.end(), '\n') == 1);
    }
  }
}

TEST_CASE("an address to listen on that is none is an error that says what to write") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"http://127.0.0.1:8080", "a URL; write host:port, for example 127.0.0.1:8080"},
      {"unix:/run/lb.sock", "a Unix socket, which lb does not support yet"},
      {"8080", "no host; write host:port, for example 127.0.0.1:8080"},
      {"localhost:8080", "not an IP address; write one of this machine's, for example 127.0.0.1:8080, or '*:8080'"},
  };
  for (const auto& [address, expected] : rows) {
    const std::string all = errors(kOne + "admin: {listen: '" + address + "'}\n");
    CAPTURE(all);
    CHECK(has(all, "'" + address + "': " + expected));
  }
}

TEST_CASE("a link-local address of an upstream may have a scope") {
  CHECK(errors("upstreams: ['[fe80::1%eth0]:3001']\n").empty());
}

TEST_CASE("*:8080 means all addresses, IPv4 and IPv6; :8080 means all IPv4 addresses") {
  for (const char* address : {"*:8080", "[::]:8080"}) {
    CHECK(read(kOne + "admin: {listen: '" + address + "'}\n").admin.text() == "[::]:8080");
  }
  for (const char* address : {":8080", "0.0.0.0:8080"}) {
    CHECK(read(kOne + "admin: {listen: '" + address + "'}\n").admin.text() == "0.0.0.0:8080");
  }
}

TEST_CASE("a section written as one value is an error that says what to write") {
  CHECK(has(errors(kOne + "health: /health\n"),
            "health: not a section; write its keys, for example health: {uri: /health}"));
  CHECK(has(errors(kOne + "log: debug\n"), "for example log: {level: debug}"));
  CHECK(has(errors(kOne + "hedge: 50ms\n"), "for example hedge: {after: 50ms}"));
  CHECK(has(errors(kOne + "retry: {budget: 20%}\n"), "for example budget: {ratio: 20%}"));
  CHECK(has(errors(kOne + "routes: [/api]\n"), "write {path: /api, pool: NAME}"));
  CHECK(has(errors("pools: {web: 127.0.0.1:1}\n"), "for example web: {upstreams: [127.0.0.1:1]}"));
  CHECK(has(errors(kOne + "health: yes\n"), "health: not a section; allowed: key: value lines"));
  CHECK(has(errors("upstreams: 127.0.0.1:1\n"), "not a list; write upstreams: [127.0.0.1:1]"));
}

TEST_CASE("an error is not followed by others that it causes") {
  for (const char* text : {"upstreams: [nonsense, worse]\n", "upstreams: [{address: nonsense}, {address: nonsense}]\n",
                           "pools: {web: {upstreams: [nonsense, worse]}}\n",
                           "pools: {web: {upstreams: [{address: x}, {address: y}]}}\n"}) {
    CAPTURE(text);
    const std::string all = errors(text);
    CAPTURE(all);
    CHECK(std::count(all.begin(), all.end(), '\n') == 2);
  }
  const std::string routes = "routes: [{path: /, pool: web}, {path: /x, pool: web}]\n";
  for (const std::string& text : std::vector<std::string>{
           "upstreams: 5\n", "pools: {web: {upstreams: 5}}\n", "pools: 5\n" + routes, "pools: {web: 5}\n" + routes,
           "pools: {a: {upstreams: ['h:1']}, b: {upstreams: ['h:2']}}\nroutes: 5\n"}) {
    CAPTURE(text);
    const std::string all = errors(text);
    CAPTURE(all);
    CHECK(std::count(all.begin(), all.end(), '\n') == 1);
  }
  // Independent errors are still told at once.
  const std::string two = errors("upstreams: [nonsense]\nhealth: {uri: health}\n");
  CHECK(std::count(two.begin(), two.end(), '\n') == 2);
}

TEST_CASE("a class of statuses is the range of its hundred") {
  Settings settings = read(kOne + "health: {status: [2xx, 301]}\nunhealthy_status: 5XX\n");
  CHECK(has(dump_config(settings), "status: [\"200-299\", \"301\"]"));
  CHECK(has(dump_config(settings), "statuses: [\"500-599\"]"));
  for (const char* status : {"0xx", "6xx", "xxx", "2x", "2xxx", "2-3xx"}) {
    CAPTURE(status);
    CHECK(has(errors(kOne + "health_status: " + status + "\n"), "not a status"));
  }
  CHECK(has(errors(kOne + "health_status: 2\n"), "write 2xx for a class"));
}

TEST_CASE("each word of Caddy's reverse_proxy is taken, or refused with what to write") {
  for (const char* line : {"lb_policy: least_conn",
                           "lb_policy: header X-User",
                           "lb_policy: client_ip_hash",
                           "lb_policy: ip_hash",
                           "lb_policy: first",
                           "lb_policy: random",
                           "lb_try_duration: 5s",
                           "health_uri: /health",
                           "health_port: 8081",
                           "health_interval: 5s",
                           "health_passes: 2",
                           "health_fails: 2",
                           "health_timeout: 2s",
                           "health_method: HEAD",
                           "health_status: 2xx",
                           "health_headers: {X-Probe: lb}",
                           "max_fails: 3",
                           "unhealthy_status: 5xx",
                           "unhealthy_latency: 2s",
                           "trusted_proxies: [10.0.0.0/8]"}) {
    CAPTURE(line);
    CHECK(errors(kOne + line + "\n") == "");
  }
  for (const char* word : {"to",
                           "dynamic",
                           "lb_retries",
                           "lb_try_interval",
                           "lb_retry_match",
                           "health_upstream",
                           "health_request_body",
                           "health_body",
                           "fail_duration",
                           "unhealthy_request_count",
                           "flush_interval",
                           "request_buffers",
                           "response_buffers",
                           "stream_timeout",
                           "stream_close_delay",
                           "header_up",
                           "header_down",
                           "method",
                           "rewrite",
                           "transport",
                           "handle_response",
                           "replace_status",
                           "copy_response"}) {
    CAPTURE(word);
    const std::string all = errors(kOne + word + ": 1\n");
    CHECK(has(all, std::string(word) + ": not a key of this program; "));
    CHECK_FALSE(has(all, "; allowed:"));
  }
  for (const char* policy : {"cookie lb", "uri_hash", "query page", "random_choose 2", "weighted_round_robin 3 1"}) {
    CAPTURE(policy);
    CHECK(has(errors(kOne + "lb_policy: " + policy + "\n"), "write "));
    CHECK_FALSE(has(errors(kOne + "lb_policy: " + policy + "\n"), "no such policy"));
  }
  CHECK(has(errors(kOne + "trusted_proxies: private_ranges\n"), "write the blocks: 127.0.0.0/8"));
}

TEST_CASE("the commonest words of nginx and HAProxy are refused with what to write") {
  CHECK(has(errors(kOne + "proxy_pass: http://a\n"), "write upstreams: [127.0.0.1:3001]"));
  CHECK(has(errors(kOne + "client_max_body_size: 1m\n"), "write limits: {request_body: 10MiB}"));
  CHECK(has(errors(kOne + "balance: roundrobin\n"), "write policy: round_robin"));
  CHECK(has(errors(kOne + "policy: leastconn\n"), "write least_requests"));
  CHECK(has(errors(kOne + "policy: hdr(X-User)\n"), "write hash header NAME"));
  CHECK(has(errors("upstreams: [{url: http://a}]\n"), "write address: 127.0.0.1:3001"));
  CHECK(
      has(errors("pools: {web: {upstreams: ['h:1'], maxconn: 5}}\n"), "pools.web.maxconn: not a key of this program"));
}

TEST_CASE("the admin port can be written as one value, and be off") {
  CHECK_FALSE(read(kOne + "admin: off\n").admin.is_set());
  CHECK(read(kOne + "admin: 127.0.0.1:9901\n").admin.text() == "127.0.0.1:9901");
  Settings settings = read(kOne + "admin: {listen: off}\n");
  CHECK(has(dump_config(settings), "listen: off"));
  CHECK(has(errors(kOne + "admin: none\n"), "admin.listen: 'none': no port; write host:port"));
  CHECK(changes(kOne, kOne + "admin: off\n") == "admin.listen: 127.0.0.1:9900 -> off (fixed)\n");
}
