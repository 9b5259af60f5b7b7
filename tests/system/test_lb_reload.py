"""A reload: the new file is in force, or nothing has changed; and nobody who has a request under way notices."""
import json
import os
import select
import signal
import socket
import threading
import time

import pytest
from system.test_lb_admin import change
from system.upstream import Client, ask, eventually, response

HEALTH = "health: {uri: /health, interval: 50ms}\n"


def named(upstream, *names, answer=None):
    return {name: upstream(answer or (lambda request, name=name: response(body=name.encode()))) for name in names}


def held(release, answer=response(body=b"held")):
    """A response that comes when `release` has something, or never if lb leaves before; None closes the connection."""
    def say(connection):
        while not release:
            if select.select([connection], [], [], 0.01)[0] and not connection.recv(1, socket.MSG_PEEK):
                return "close"
        if answer is None:
            return "close"
        connection.sendall(answer)
    return lambda request: say


def pool(servers, names, more=HEALTH):
    return "upstreams: [" + ", ".join(f"{{address: '{servers[name].address}', name: {name}}}" for name in names) + "]\n" + more


def write(lb, text):
    """The file anew, with what the first one had of ports."""
    with open(lb.config) as old:
        kept = [line for line in old if line.startswith(("listen:", "admin:", "workers:"))]
    with open(lb.config + ".new", "w") as new:
        new.write("".join(kept) + text)
    os.rename(lb.config + ".new", lb.config)


def reload(lb, text, dry=False):
    write(lb, text)
    return change(lb, "POST", "/reload" + ("?dry_run=1" if dry else ""))


def reloaded(lb, text):
    status, answer = reload(lb, text)
    assert (status, answer["reloaded"]) == (200, True), answer
    return answer["changes"]


def who(lb, count=8):
    return {ask(lb.public)[2].decode() for _ in range(count)}


def ledger(lb):
    return json.loads(lb.get_admin("/ledger"))


def test_servers_come_and_go_and_who_stays_is_known_as_before(start_lb, upstream):
    servers = named(upstream, "one", "two", "three")
    lb = start_lb("workers: 1\n" + pool(servers, ["one", "two"]))
    client = Client(lb.public)
    for _ in range(10):
        client.get()
    change(lb, "PUT", "/upstreams/default/one/weight", b'{"weight": 7}')
    before = lb.upstreams()["one"]
    changes = reloaded(lb, pool(servers, ["three", "one"]))
    assert [each["key"] for each in changes] == ["pools.default.upstreams"]
    eventually(lambda: lb.states() == {"one": "healthy", "three": "healthy"})
    after = lb.upstreams()["one"]
    assert after["weight"] == 7 and after["history"] == before["history"] and after["since"] == before["since"]
    assert after["requests"] == before["requests"] >= 5, "it counts on"
    assert {client.get()[2] for _ in range(32)} == {b"one", b"three"}, "the client's connection lives on"
    assert ledger(lb)["imbalance"] == 0


def test_a_kept_connection_to_a_server_that_stays_is_used_on(start_lb, upstream):
    servers = named(upstream, "one", "two")
    lb = start_lb("workers: 1\n" + pool(servers, ["one"], ""))
    client = Client(lb.public)
    client.get()
    reloaded(lb, pool(servers, ["one", "two"], "policy: first\n"))
    client.get()
    assert [request.connection_number for request in servers["one"].requests] == [1, 1]


def test_sighup_reads_the_file_anew_and_a_wrong_one_changes_nothing(start_lb, upstream):
    servers = named(upstream, "one", "two")
    lb = start_lb(pool(servers, ["one"]))
    assert lb.metric("lb_config_last_reload_successful") == 1
    write(lb, "upstreams: []\nhealth: {interval: soon}\n")
    os.kill(lb.process.pid, signal.SIGHUP)
    lb.process.wait_for_log(r"error not reloaded why=.*interval")
    assert lb.metric("lb_config_last_reload_successful") == 0
    assert lb.metric("lb_config_reloads_total", result="failure") == 1
    assert who(lb) == {"one"}
    write(lb, pool(servers, ["two"]))
    os.kill(lb.process.pid, signal.SIGHUP)
    lb.process.wait_for_log(r"info reloaded")
    eventually(lambda: who(lb, 1) == {"two"})
    assert lb.metric("lb_config_last_reload_successful") == 1
    assert lb.metric("lb_config_reloads_total", result="success") == 1


def test_a_dry_run_says_what_would_change(start_lb, upstream):
    servers = named(upstream, "one", "two")
    lb = start_lb(pool(servers, ["one"]))
    status, answer = reload(lb, pool(servers, ["one"], "health: {uri: /health, interval: 2s}\nretry: {deadline: 7s}\n"), dry=True)
    assert (status, answer["reloaded"]) == (200, False)
    assert answer["changes"] == [{"key": "pools.default.health.interval", "from": "50ms", "to": "2s"},
                                 {"key": "pools.default.retry.deadline", "from": "5s", "to": "7s"}]
    assert "deadline: 5s" in lb.get_admin("/config") and lb.metric("lb_config_reloads_total") == 0
    status, answer = reload(lb, "upstreams: [nowhere]\n", dry=True)
    assert status == 422 and "upstreams" in answer["errors"][0]
    reloaded(lb, pool(servers, ["one"], HEALTH + "retry: {deadline: 7s}\n"))
    assert "deadline: 7s" in lb.get_admin("/config")
    assert change(lb, "GET", "/reload")[0] == 405 and change(lb, "POST", "/reload?now=1")[0] == 400


@pytest.mark.parametrize("key, line", [("workers", "workers: 3\n"), ("limits.request_body", "limits: {request_body: 1MiB}\n"),
                                       ("log.access", "log: {access: stdout}\n")])
def test_what_a_running_process_keeps_is_refused_whole(start_lb, upstream, key, line):
    servers = named(upstream, "one", "two")
    lb = start_lb(pool(servers, ["one"]))
    status, answer = reload(lb, line + pool(servers, ["two"]))
    assert status == 422 and len(answer["errors"]) == 1 and f": {key}: a running lb keeps this" in answer["errors"][0]
    assert who(lb) == {"one"} and list(lb.states()) == ["one"]


def test_a_request_at_a_server_that_leaves_is_answered_by_it(start_lb, upstream):
    release = []
    servers = {**named(upstream, "old", answer=held(release)), **named(upstream, "new")}
    kept = HEALTH + "connections: {idle_timeout: 1h}\n"
    lb = start_lb("workers: 1\n" + pool(servers, ["old"], kept))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["old"].requests)
    reloaded(lb, pool(servers, ["new"], kept))
    assert who(lb) == {"new"}
    release.append(True)
    assert client.response()[2] == b"held"
    eventually(lambda: not servers["old"].open)  # nothing is kept to it, and nobody probes it
    assert client.get()[2] == b"new"
    assert ledger(lb)["answered"] == 10 and ledger(lb)["imbalance"] == 0


def test_a_request_outlives_two_reloads_of_which_the_second_removes_its_server(start_lb, upstream):
    """Its connection is given back to an endpoint whose settings, of the first reload, are gone: seen with AddressSanitizer."""
    release = []
    servers = {**named(upstream, "old", answer=held(release)), **named(upstream, "new")}
    lb = start_lb("workers: 1\n" + pool(servers, ["old"]))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["old"].requests)
    reloaded(lb, pool(servers, ["old", "new"], HEALTH + "connections: {max_idle: 5}\n"))
    reloaded(lb, pool(servers, ["new"]))
    assert who(lb) == {"new"}, "the second reload is in force in the worker"
    release.append(True)
    assert client.response()[2] == b"held"
    assert client.get()[2] == b"new"


def test_a_request_whose_server_leaves_and_dies_goes_on_with_those_that_are_there_now(start_lb, upstream):
    die = []
    servers = {**named(upstream, "old", answer=held(die, None)), **named(upstream, "new")}
    lb = start_lb("workers: 1\n" + pool(servers, ["old"]))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["old"].requests)
    for names in (["new"], ["new", "old"], ["new"]):
        reloaded(lb, pool(servers, names))
    die.append(True)
    assert client.response()[2] == b"new"
    assert ledger(lb)["saved_by_retry"] == 1 and ledger(lb)["imbalance"] == 0


def test_an_answer_that_is_worth_a_retry_is_retried_with_those_that_are_there_now(start_lb, upstream):
    release = []
    servers = {**named(upstream, "old", answer=held(release, response(503, b"no"))), **named(upstream, "new")}
    retried = HEALTH + "retry: {statuses: [503]}\n"
    lb = start_lb("workers: 1\n" + pool(servers, ["old"], retried))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["old"].requests)
    reloaded(lb, pool(servers, ["new"], retried))
    release.append(True)
    assert client.response()[2] == b"new"


def test_who_waits_for_a_server_goes_to_one_that_a_reload_brings(start_lb, upstream):
    servers = named(upstream, "old", "new")
    servers["old"].die()
    lb = start_lb("workers: 2\n" + pool(servers, ["old"], HEALTH + "retry: {deadline: 30s}\n"))
    clients = [Client(lb.public, 20) for _ in range(8)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_queue_length") == 8)
    reloaded(lb, pool(servers, ["new"]))
    assert {client.response()[2] for client in clients} == {b"new"}
    assert lb.metric("lb_queue_length") == 0


def test_a_place_that_frees_under_the_old_configuration_goes_to_who_waits_under_the_new(start_lb, upstream):
    release = []
    servers = named(upstream, "one", answer=lambda request: response() if release else held(release)(request))
    limited = f"upstreams: [{{address: '{servers['one'].address}', name: one, max_requests: 1}}]\nretry: {{deadline: 30s}}\n"
    lb = start_lb("workers: 1\n" + limited)
    clients = [Client(lb.public, 20) for _ in range(2)]
    clients[0].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["one"].requests)
    reloaded(lb, limited + "slow_start: 1s\n")
    clients[1].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_queue_length") == 1)
    assert len(servers["one"].requests) == 1, "the limit holds over both"
    release.append(True)
    assert clients[0].response()[2] == b"held" and clients[1].response()[2] == b"ok"


def test_pools_and_routes_change(start_lb, upstream):
    servers = named(upstream, "one", "two", "three")

    def pools(**names):
        return "pools:\n" + "".join(f"  {key}: {{upstreams: [{{address: '{servers[name].address}', name: {name}}}]}}\n"
                                    for key, name in names.items())
    lb = start_lb(pools(web="one", api="two") + "routes: [{path: /, pool: web}, {path: /api, pool: api}]\n")
    assert (ask(lb.public)[2], ask(lb.public, target="/api")[2]) == (b"one", b"two")
    reloaded(lb, pools(web="one", late="three") + "routes: [{path: /, pool: web}, {path: /api, pool: late}]\n")
    assert (ask(lb.public)[2], ask(lb.public, target="/api")[2]) == (b"one", b"three")
    told = ledger(lb)
    assert set(told["pools"]) == {"web", "late", "unrouted"}
    assert told["requests"] == 4 and told["pools"]["web"]["requests"] == 2, "what a pool counted that is gone stays in the sum"
    reloaded(lb, pools(web="one", api="two") + "routes: [{path: /, pool: web}, {path: /api, pool: api}]\n")
    assert ask(lb.public, target="/api")[2] == b"two"
    assert ledger(lb)["pools"]["api"]["requests"] == 2 and ledger(lb)["requests"] == 5


def test_checks_that_begin_end_and_change(start_lb, upstream):
    servers = named(upstream, "one", "two")
    lb = start_lb(pool(servers, ["one", "two"], ""))
    assert set(lb.states().values()) == {"healthy"} and lb.metric("lb_health_checks_total") == 0
    servers["two"].probes = False  # /health is asked of its answer, which is 200 too
    servers["two"].answer = lambda request: response(503 if request.target == "/health" else 200, b"two")
    reloaded(lb, pool(servers, ["one", "two"]))
    eventually(lambda: lb.states() == {"one": "healthy", "two": "unhealthy"})
    reloaded(lb, pool(servers, ["one", "two"], "health: {uri: /other, interval: 50ms}\n"))
    assert lb.states()["one"] == "healthy", "the last word stands until there is another"
    eventually(lambda: lb.states()["two"] == "healthy")
    reloaded(lb, pool(servers, ["one", "two"], ""))
    counted = lb.metric("lb_health_checks_total")
    assert set(lb.states().values()) == {"healthy"} and lb.metric("lb_health_checks_total") == counted


def test_a_reload_is_no_reason_to_doubt_who_is_well(start_lb, upstream):
    servers = named(upstream, "one")
    checks = "health: {uri: /health, interval: 50ms, passes: 5}\n"
    lb = start_lb(pool(servers, ["one"], checks))
    eventually(lambda: lb.states()["one"] == "healthy")
    history = lb.upstreams()["one"]["history"]
    reloaded(lb, pool(servers, ["one"], checks + "policy: random\n"))
    probed = lb.metric("lb_health_checks_total")
    eventually(lambda: lb.metric("lb_health_checks_total") >= probed + 7)
    assert lb.upstreams()["one"]["history"] == history


def test_the_operators_word_outlives_a_reload(start_lb, upstream):
    servers = named(upstream, "one", "two")
    lb = start_lb(pool(servers, ["one", "two"]))
    change(lb, "POST", "/upstreams/default/one/disable")
    reloaded(lb, pool(servers, ["one", "two"], HEALTH + "policy: random\n"))
    assert lb.states()["one"] == "down" and who(lb) == {"two"}
    change(lb, "POST", "/upstreams/default/one/enable")
    eventually(lambda: lb.states()["one"] == "healthy")


def test_who_waits_for_a_drain_is_told_that_the_server_is_gone(start_lb, upstream):
    release = []
    servers = {**named(upstream, "one", answer=held(release)), **named(upstream, "two")}
    lb = start_lb("policy: first\n" + pool(servers, ["one", "two"]))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: servers["one"].requests)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(change(lb, "POST", "/upstreams/default/one/drain?wait=30s")))
    waiting.start()
    eventually(lambda: lb.states()["one"] == "draining")
    reloaded(lb, pool(servers, ["two"]))
    waiting.join(20)
    assert answers[0][0] == 409
    release.append(True)
    assert client.response()[0] == 200


def test_timeouts_and_trusted_proxies_change(start_lb, upstream):
    servers = named(upstream, "one", answer=lambda request: response(body=(request.get("X-Request-ID") or "").encode()))
    lb = start_lb(pool(servers, ["one"], ""))
    assert ask(lb.public, fields=[("X-Request-ID", "mine")])[2] != b"mine"
    reloaded(lb, pool(servers, ["one"], "trusted_proxies: [127.0.0.0/8]\ntimeouts: {first_byte: 100ms}\nretry: {deadline: 1s}\n"))
    assert ask(lb.public, fields=[("X-Request-ID", "mine")])[2] == b"mine"
    servers["one"].answer = lambda request: lambda connection: time.sleep(2)
    assert ask(lb.public)[0] == 504


def test_keys_are_asked_about_before_they_are_assigned(start_lb, upstream):
    counted = []

    def careless(request):
        counted.append(request)
        return response(201, str(len(counted)).encode())
    servers = named(upstream, "one", answer=careless)
    lb = start_lb(pool(servers, ["one"]))
    keyed = pool(servers, ["one"], HEALTH + "retry: {assign_idempotency_key: true, idempotency_probe: {uri: /make}}\n")
    status, answer = reload(lb, keyed)
    assert status == 422 and "keys must not be assigned" in answer["errors"][0] and len(counted) == 2
    assert "assign_idempotency_key: false" in lb.get_admin("/config")
    servers["one"].answer = lambda request: response(201, b"the same")
    reloaded(lb, keyed)
    assert "assign_idempotency_key: true" in lb.get_admin("/config")


def test_a_tunnel_lives_on(start_lb, upstream):
    def echo(connection):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := connection.recv(100):
            connection.sendall(data)
        return "close"
    servers = {**named(upstream, "one", answer=lambda request: echo), **named(upstream, "two")}
    lb = start_lb(pool(servers, ["one"]))
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b" 101 " in client.stream.readline()
    while client.stream.readline() != b"\r\n":
        pass
    for names in (["two"], ["one", "two"], ["two"]):
        reloaded(lb, pool(servers, names))
        client.send(b"still there?")
        assert client.stream.read(12) == b"still there?"
    client.close()
    eventually(lambda: ledger(lb)["tunnelled"] == 1)


def test_nobody_notices_fifty_reloads_under_load(start_lb, upstream):
    servers = named(upstream, "one", "two", "three", "four")
    lb = start_lb("workers: 2\n" + pool(servers, ["one", "two"]))
    wrong, answered, is_over = [], [], threading.Event()

    def run():
        client = Client(lb.public, 20)
        while not is_over.is_set():
            status, _, body = client.get()
            (answered if (status, body.decode() in servers) == (200, True) else wrong).append(body)
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for number in range(50):
            names = [["one", "two"], ["three", "four"], ["two", "three"], ["four"]][number % 4]
            more = ["", "policy: least_requests\n", "hedge: {after: 20ms}\n", "connections: {max_idle: 1}\n"][number % 3]
            reloaded(lb, pool(servers, names, HEALTH + more))
            before = len(answered)
            eventually(lambda: len(answered) >= before + 10)
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)
    assert not wrong and len(answered) > 500
    told = ledger(lb)
    assert told["answered"] == told["requests"] == len(answered) and told["imbalance"] == 0
    assert lb.metric("lb_config_reloads_total", result="success") == 50
