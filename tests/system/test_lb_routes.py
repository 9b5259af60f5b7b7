"""Host and path choose the pool; what no route takes is answered 404 and ends in the ledger."""
import json
import subprocess

import pytest
from stack.programs import built
from system.upstream import Client, ask, response

ROUTES = """
pools:
  web: {{upstreams: ["{web}"], retry: {{deadline: 500ms}}}}
  api: {{upstreams: ["{api}"]}}
  shop: {{upstreams: ["{shop}"]}}
routes:
  - {{host: shop.example, pool: shop}}
  - {{host: "*.example", path: /api, pool: api}}
  - {{host: "*.example", path: /v2/*, pool: api}}
  - {{host: "*.example", path: /, pool: web}}
"""


@pytest.fixture
def routed(start_lb, upstream):
    servers = {name: upstream(lambda request, name=name: response(body=name.encode())) for name in ("web", "api", "shop")}
    lb = start_lb(ROUTES.format(**{name: server.address for name, server in servers.items()}))
    return lb, servers


def taken_by(lb, host, target, version="1.1"):
    client = Client(lb.public)
    client.send(f"GET {target} HTTP/{version}\r\nHost: {host}\r\n\r\n")
    status, _, body = client.response()
    client.close()
    return body.decode() if status == 200 else status


@pytest.mark.parametrize("host, target, expected", [
    ("www.example", "/", "web"),
    ("www.example", "/api", "api"),
    ("www.example", "/api/", "api"),
    ("www.example", "/api/x", "api"),
    ("www.example", "/api?x", "api"),
    ("www.example", "/%61pi/x", "api"),
    ("www.example", "/apix", "web"),
    ("www.example", "/v2/x", "api"),
    ("www.example", "/v2/", "api"),
    ("www.example", "/v2", "web"),
    ("www.example", "/x/api", "web"),
    ("WWW.Example:8080", "/api", "api"),
    ("www.example.", "/api", "api"),
    ("a.b.example", "/", "web"),
    ("shop.example", "/api", "shop"),
    ("ignored.test", "http://www.example/api?y", "api"),
    ("ignored.test", "http://www.example", "web"),
    ("example", "/", 404),
    ("other.test", "/api", 404),
    ("other.test", "http://other.test/api", 404),
    ("www.example", "/api/../x", 400),
    ("www.example", "/%2e%2E/x", 400),
    ("www.example", "/x/.", 400),
    ("www.example", "/..%2fx", 400),
    ("www.example", "/x?y=/../z", "web"),
    ("www.example", "/.well-known/x", "web"),
])
def test_host_and_path_choose_the_pool(routed, host, target, expected):
    assert taken_by(routed[0], host, target) == expected


def test_what_no_route_takes_ends_in_the_ledger_and_keeps_its_connection(routed):
    lb, servers = routed
    client = Client(lb.public)
    for _ in range(3):
        client.send("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        assert client.response()[0] == 404
    client.send("GET / HTTP/1.1\r\nHost: www.example\r\n\r\n")
    assert client.response()[2] == b"web"
    client = Client(lb.public)
    client.send("GET / HTTP/1.0\r\n\r\n")  # names no host
    assert client.response()[0] == 404
    assert lb.metric("lb_local_errors_total", pool="unrouted", reason="no_route") == 4
    assert lb.metric("lb_request_outcomes_total", pool="unrouted", outcome="local_error") == 4
    assert lb.metric("lb_requests_total", pool="unrouted", code="404") == 4
    assert lb.metric("lb_request_outcomes_total", pool="web", outcome="answered") == 1
    assert lb.metric("lb_ledger_imbalance") == 0
    assert not any(server.requests for name, server in servers.items() if name != "web")


def test_a_body_without_a_route_is_refused_and_is_no_next_request(routed):
    client = Client(routed[0].public)
    client.send("POST / HTTP/1.1\r\nHost: other.test\r\nContent-Length: 50\r\n\r\nGET / HTTP/1.1\r\n")
    status, fields, _ = client.response()
    assert (status, fields["connection"]) == (404, "close")


def test_each_pool_has_its_own_state_counters_and_routes(routed):
    lb, servers = routed
    servers["web"].close()
    assert taken_by(lb, "www.example", "/") in (502, 503)
    assert taken_by(lb, "www.example", "/api") == "api"
    pools = {pool["name"]: pool for pool in json.loads(lb.get_admin("/upstreams"))["pools"]}
    assert set(pools) == {"web", "api", "shop"}
    assert pools["api"]["routes"] == [{"host": "*.example", "path": path} for path in ("/api", "/v2/*")]
    assert lb.metric("lb_request_outcomes_total", pool="web", outcome="local_error") == 1
    assert lb.metric("lb_request_outcomes_total", pool="api", outcome="answered") == 1
    page = lb.get_admin("/")
    assert "Pool web" in page and "*.example/api" in page and "Without a route" in page


def test_with_one_pool_paths_with_dots_are_the_servers_business(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"upstreams: [{server.address}]\n")
    assert ask(lb.public, "/a/../b")[0] == 200
    assert server.requests[-1].target == "/a/../b"


HEAD = "listen: 127.0.0.1:1\npools:\n  web: {upstreams: [127.0.0.1:2]}\n  api: {upstreams: [127.0.0.1:3]}\n"


@pytest.mark.parametrize("text, expected", [
    (HEAD, "lb.yaml:2:1: pools: several pools, and no routes; say which takes what"),
    (HEAD + "routes:\n  - {path: /, pool: web}\n  - {path: /api, pool: apj}\n",
     "lb.yaml:7:18: routes[1].pool: there is no pool 'apj'; allowed: web, api"),
    (HEAD + "routes:\n  - {path: /, pool: web}\n  - {path: /api, pool: apj}\n",
     "lb.yaml:4:3: pools.api: no route leads to this pool"),
    (HEAD + "routes:\n  - {path: /a/, pool: web}\n  - {path: /%61, pool: api}\n",
     "lb.yaml:7:5: routes[1]: the same host and path as routes[0]"),
    (HEAD + "routes:\n  - {host: A.example, pool: web}\n  - {host: a.Example., pool: api}\n",
     "lb.yaml:7:5: routes[1]: the same host and path as routes[0]"),
    (HEAD + "routes:\n  - {path: /a}\n", "lb.yaml:6:5: routes[0]: no pool; allowed: web, api"),
    (HEAD + "routes:\n  - {path: a, pool: web}\n", "lb.yaml:6:12: routes[0].path: 'a': not a path; allowed: a path such as /api"),
    (HEAD + "routes:\n  - {path: /a/../b, pool: web}\n", "routes[0].path: '/a/../b': a dot segment"),
    (HEAD + "routes:\n  - {path: '/a?b', pool: web}\n", "routes[0].path: '/a?b': a query"),
    (HEAD + "routes:\n  - {host: 'a:80', pool: web}\n", "routes[0].host: 'a:80': a host has no port here"),
    (HEAD + "routes:\n  - {host: 'a.*', pool: web}\n", "routes[0].host: 'a.*': not a host name"),
    ("listen: 127.0.0.1:1\npools:\n  unrouted: {upstreams: [127.0.0.1:2]}\n", "lb.yaml:3:3: pools.unrouted: that is what"),
    ("listen: 127.0.0.1:1\npools:\n  'a b': {upstreams: [127.0.0.1:2]}\n", "lb.yaml:3:3: pools.a b: not a name for a pool"),
    ("listen: 127.0.0.1:1\npools:\n  web: {policy: round_robin}\n", "lb.yaml:3:3: pools.web: upstreams: missing"),
])
def test_wrong_routes_are_told_with_their_place(tmp_path, text, expected):
    path = tmp_path / "lb.yaml"
    path.write_text(text)
    done = subprocess.run([built("lb"), "check", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert expected in done.stderr.replace(str(tmp_path) + "/", ""), done.stderr


def test_routes_survive_a_dump(tmp_path):
    path = tmp_path / "lb.yaml"
    path.write_text(HEAD + "routes:\n  - {host: '*.Example', path: /a/, pool: web}\n  - {pool: api}\n")
    for _ in range(2):
        done = subprocess.run([built("lb"), "check", str(path), "--dump-config"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert 'host: "*.example"' in done.stdout and "path: /a" in done.stdout
        path.write_text(done.stdout)
