"""The operator's word: drain, disable, enable, weight, by the admin port; who may give it, and what is told."""
import json
import threading

from system.upstream import Client, ask, eventually, response


def change(lb, method, path, body=b"", fields=(), host=None):
    """Status and JSON of one request to the admin port."""
    client = Client(lb.admin, 40)
    extra = "".join(f"{name}: {value}\r\n" for name, value in fields)
    client.send(f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{lb.admin}'}\r\n{extra}"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    status, _, answer = client.response()
    client.close()
    return status, json.loads(answer)


def two(start_lb, upstream, more="", answer=None):
    servers = [upstream(answer or (lambda request: response(body=b"one"))), upstream(lambda request: response(body=b"two"))]
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{servers[0].address}', name: one}}, {{address: '{servers[1].address}', name: two}}]\n"
                  f"health: {{uri: /health, interval: 50ms}}\n{more}")
    return lb, servers


def bodies(lb, count):
    return [ask(lb.public)[2] for _ in range(count)]


def test_a_disabled_server_gets_nothing_until_it_is_enabled(start_lb, upstream):
    lb, _ = two(start_lb, upstream)
    status, server = change(lb, "POST", "/upstreams/default/one/disable")
    assert (status, server["name"], server["state"], server["reason"]) == (200, "one", "down", "the operator disabled it")
    assert bodies(lb, 6) == [b"two"] * 6
    eventually(lambda: lb.metric("lb_health_checks_total", upstream="one", result="pass") > 3)
    assert lb.states()["one"] == "down", "probes do not bring it back"
    status, server = change(lb, "POST", "/upstreams/default/one/enable")
    assert (status, server["state"]) == (200, "healthy")
    assert set(bodies(lb, 6)) == {b"one", b"two"}


def test_a_drain_lets_requests_end_and_says_when_the_server_is_empty(start_lb, upstream):
    release = []

    def hold(connection):
        eventually(lambda: release)
        connection.sendall(response(body=b"held"))
    lb, servers = two(start_lb, upstream, "policy: first\n", lambda request: hold)
    busy = Client(lb.public)
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers[0].requests)
    status, server = change(lb, "POST", "/upstreams/default/one/drain")
    assert (status, server["state"], server["in_flight"]) == (202, "draining", 1)
    assert bodies(lb, 4) == [b"two"] * 4
    status, server = change(lb, "POST", "/upstreams/default/one/drain?wait=50ms")
    assert (status, server["in_flight"]) == (202, 1)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(change(lb, "POST", "/upstreams/default/one/drain?wait=30s")))
    waiting.start()
    release.append(True)
    assert busy.response()[2] == b"held"
    waiting.join(20)
    assert answers[0][0] == 200 and answers[0][1]["in_flight"] == 0
    assert change(lb, "POST", "/upstreams/default/one/drain?wait=soon")[0] == 400


def test_a_weight_counts_at_once(start_lb, upstream):
    lb, _ = two(start_lb, upstream)
    status, server = change(lb, "PUT", "/upstreams/default/one/weight", b'{"weight": 3}')
    assert (status, server["weight"]) == (200, 3)
    got = bodies(lb, 40)
    assert abs(got.count(b"one") - 30) <= 1
    for wrong in (b"", b"3", b'{"weight": 0}', b'{"weight": -1}', b'{"weight": 1001}', b'{"weight": "3"}', b'{"weight": 1.5}'):
        status, answer = change(lb, "PUT", "/upstreams/default/one/weight", wrong)
        assert status == 400 and "weight" in answer["error"], wrong
    assert lb.upstreams()["one"]["weight"] == 3


def test_explain_names_the_rule_and_what_would_change_it(start_lb, upstream):
    lb, servers = two(start_lb, upstream)
    told = json.loads(lb.get_admin("/upstreams/default/one/explain"))
    assert (told["state"], told["share"], told["weight"]) == ("healthy", 0.5, 1)
    assert "probes pass" in told["rule"] and "2 failing probes" in told["changed_by"] and 0 <= told["next_probe_in_ms"] <= 110
    servers[0].die()
    eventually(lambda: lb.states()["one"] == "unhealthy")
    told = json.loads(lb.get_admin("/upstreams/default/one/explain"))
    assert "refused" in told["evidence"] and "2 in a row" in told["evidence"] and told["share"] == 0
    assert json.loads(lb.get_admin("/upstreams/default/two/explain"))["share"] == 1
    change(lb, "POST", "/upstreams/default/two/disable")
    told = json.loads(lb.get_admin("/upstreams/default/two/explain"))
    assert told["rule"] == "the operator disabled it" and "enable" in told["changed_by"]
    assert json.loads(lb.get_admin("/upstreams/default/two"))["state"] == "down"


def test_mistakes_are_told_in_json(start_lb, upstream):
    lb, _ = two(start_lb, upstream)
    for method, path, status in (("POST", "/upstreams/default/three/drain", 404), ("POST", "/upstreams/nothing/one/drain", 404),
                                 ("POST", "/upstreams/default/one/fly", 404), ("PUT", "/upstreams/default/one/drain", 405),
                                 ("POST", "/upstreams/default/one/weight", 405), ("POST", "/upstreams/default/one", 405),
                                 ("DELETE", "/upstreams/default/one/explain", 405), ("POST", "/log-level", 405),
                                 ("PUT", "/log-level", 400)):
        got, answer = change(lb, method, path)
        assert got == status and answer["error"], (method, path, got, answer)


def test_the_log_level_changes_while_lb_runs(start_lb, upstream):
    lb, _ = two(start_lb, upstream)
    assert change(lb, "PUT", "/log-level", b'{"level": "error"}')[0] == 200
    change(lb, "POST", "/upstreams/default/one/disable")
    assert "disabled" not in lb.process.log_text()
    assert change(lb, "PUT", "/log-level", b'{"level": "info"}')[0] == 200
    change(lb, "POST", "/upstreams/default/one/enable")
    eventually(lambda: "the operator enabled it" in lb.process.log_text())


def test_scripts_made_for_caddy_go_on(start_lb, upstream):
    lb, servers = two(start_lb, upstream)
    assert json.loads(lb.get_admin("/reverse_proxy/upstreams")) == [
        {"address": server.address, "num_requests": 0, "fails": 0, "healthy": True} for server in servers]


def test_a_page_of_another_site_changes_nothing(start_lb, upstream):
    lb, _ = two(start_lb, upstream)
    path = "/upstreams/default/one/disable"
    assert change(lb, "POST", path, host="evil.example")[0] == 403
    assert change(lb, "POST", path, fields=[("Origin", "http://evil.example")])[0] == 403
    assert change(lb, "PUT", "/log-level", b'{"level": "error"}', host="evil.example")[0] == 403
    assert lb.states()["one"] == "healthy"
    assert change(lb, "POST", path, host=f"localhost:{lb.admin}",
                  fields=[("Origin", f"http://localhost:{lb.admin}")])[0] == 200


def test_a_token_is_wanted_where_one_is_configured(start_lb, upstream):
    lb, _ = two(start_lb, upstream, "admin: {listen: 127.0.0.1:0, token: s3cret}\n")
    path = "/upstreams/default/one/disable"
    assert change(lb, "POST", path)[0] == 401
    for wrong in ("Bearer s3cre", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret"):
        assert change(lb, "POST", path, fields=[("Authorization", wrong)])[0] == 401, wrong
    assert lb.states()["one"] == "healthy", "reading needs none"
    assert change(lb, "POST", path, fields=[("Authorization", "Bearer s3cret")])[0] == 200
    assert "s3cret" not in lb.get_admin("/config")
