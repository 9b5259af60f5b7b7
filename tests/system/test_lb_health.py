"""lb knows how its servers are: probes, what clients suffer, and what the admin port tells of it."""
import json
import re
import signal
import threading
import time

import pytest
from stack.patience import patient_ms
from stack.ports import free_port
from system.upstream import Client, Upstream, ask, eventually, response


def explained(lb, server):
    return json.loads(lb.get_admin(f"/upstreams/default/{server.address}/explain"))


def test_servers_are_probed_and_a_failing_one_gets_no_requests(start_lb, upstream):
    is_ill = []
    ill = upstream(lambda request: response(500 if is_ill and request.target == "/health" else 200, b"ill"), probes=False)
    well = upstream(lambda request: response(body=b"well"))
    lb = start_lb(f"upstreams: ['{ill.address}', '{well.address}']\nhealth: {{uri: /health, interval: 50ms, fails: 2}}\n")
    assert lb.states() == {ill.address: "healthy", well.address: "healthy"}
    is_ill.append(True)
    eventually(lambda: lb.states()[ill.address] == "unhealthy")
    assert {ask(lb.public)[2] for _ in range(6)} == {b"well"}
    server = lb.upstreams()[ill.address]
    assert "GET /health: 500" in server["reason"] and "2 in a row" in server["reason"]
    assert [entry["to"] for entry in server["history"]] == ["healthy", "unhealthy"]
    is_ill.clear()
    eventually(lambda: lb.states()[ill.address] == "healthy")
    eventually(lambda: ask(lb.public)[2] == b"ill")
    assert lb.metric("lb_health_checks_total", upstream=ill.address, result="status") >= 2
    assert lb.metric("lb_health_checks_total", upstream=ill.address, result="pass") >= 2


def test_a_probe_asks_for_what_is_configured(start_lb, upstream):
    server = upstream(lambda request: response(204 if request.target == "/up" else 200, b"", reason="No"), probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /up, method: HEAD, host: app.internal, status: [204], interval: 50ms,"
                  " headers: {Authorization: Bearer wonder, User-Agent: watch}}\n")
    assert lb.states()[server.address] == "healthy"
    probe = server.requests[0]
    assert (probe.method, probe.target, probe.get("Host")) == ("HEAD", "/up", "app.internal")
    assert (probe.all("Authorization"), probe.all("User-Agent")) == (["Bearer wonder"], ["watch"])
    assert "wonder" not in lb.get_admin("/config")


def test_a_probe_may_go_to_a_port_of_its_own(start_lb, upstream):
    server, side = upstream(lambda request: response(500)), upstream()
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /health, port: {side.port}, interval: 30ms}}\n")
    assert lb.states()[server.address] == "healthy"
    side.die()
    eventually(lambda: lb.states()[server.address] == "unhealthy")


def test_a_redirect_is_not_followed(start_lb, upstream):
    other = upstream(probes=False)
    server = upstream(lambda request: response(302, fields=[("Location", f"http://{other.address}/")]), probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /up, follow_redirects: no, interval: 30ms}}\n")
    eventually(lambda: lb.states()[server.address] == "unhealthy")
    assert other.requests == [] and "GET /up: 302" in lb.upstreams()[server.address]["reason"]


def test_an_answer_without_end_is_judged_by_its_beginning(start_lb, upstream):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall is well")
        while True:
            connection.sendall(b"x" * 10_000)
    server = upstream(lambda request: endless, probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /up, body: is well, timeout: 20s, interval: 1h}}\n")
    assert lb.states()[server.address] == "healthy"


def test_a_failure_that_stays_alone_is_logged_with_its_reason(start_lb, upstream):
    answers = [200, 500, 200]
    server = upstream(lambda request: response(answers.pop(0) if len(answers) > 1 else 200), probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /h, interval: 20ms, fails: 2}}\n")
    lb.process.wait_for_log(r"warn probe failed server=\S+ why=\"GET /h: 500 in [\d.]+ ms\" unhealthy_after=2")
    assert [entry["to"] for entry in lb.upstreams()[server.address]["history"]] == ["healthy"]


def test_a_probe_wants_its_text_in_the_body(start_lb, upstream):
    body = [b"all is well"]
    server = upstream(lambda request: response(body=body[0]), probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /h, body: 'is well', interval: 30ms}}\n")
    assert lb.states()[server.address] == "healthy"
    body[0] = b"all is not"
    eventually(lambda: lb.states()[server.address] == "unhealthy")
    assert "lacks the expected text" in lb.upstreams()[server.address]["reason"]


def test_one_failed_probe_is_not_enough_and_counts_are_consecutive(start_lb, upstream):
    count = [0]

    def answer(request):
        count[0] += 1
        return response(500 if count[0] % 2 == 0 else 200)
    server = upstream(answer, probes=False)
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /h, interval: 10ms, fails: 2}}\n")
    eventually(lambda: count[0] > 40)
    assert [entry["to"] for entry in lb.upstreams()[server.address]["history"]] == ["healthy"]


def test_a_refused_connection_ejects_at_once_and_a_probe_brings_back(start_lb, upstream):
    mortal, other = upstream(), upstream()
    lb = start_lb(f"upstreams: ['{mortal.address}', '{other.address}']\nhealth: {{uri: /health, interval: 1h}}\n"
                  "connections: {max_idle: 0}\n")
    mortal.die()
    for _ in range(4):
        assert ask(lb.public)[0] == 200
    eventually(lambda: lb.states()[mortal.address] != "healthy", 2)
    assert "refused" in lb.upstreams()[mortal.address]["reason"]
    mortal.listen()
    eventually(lambda: lb.states()[mortal.address] == "healthy", 5, "though the interval is an hour")


def test_failures_within_the_window_eject_without_probes(start_lb, upstream):
    bad = upstream(lambda request: None)
    good = upstream()
    lb = start_lb(f"workers: 1\nupstreams: ['{bad.address}', '{good.address}']\npassive: {{max_fails: 3, eject_for: 60s, eject_max: 60s}}\n")
    for _ in range(20):
        assert ask(lb.public)[0] == 200
    eventually(lambda: lb.states()[bad.address] == "ejected")
    assert "3 failures in 10s" in lb.upstreams()[bad.address]["reason"]
    asked = len(bad.requests)
    for _ in range(10):
        assert ask(lb.public)[0] == 200
    assert len(bad.requests) == asked


def test_an_ejection_ends_by_itself_where_nobody_probes(start_lb, upstream):
    server = Upstream()
    server.die()
    good = upstream()
    lb = start_lb(f"workers: 1\nupstreams: ['{server.address}', '{good.address}']\npassive: {{eject_for: 200ms}}\n")
    assert [ask(lb.public)[0] for _ in range(2)] == [200, 200]
    eventually(lambda: lb.states()[server.address] == "ejected")
    server.listen()
    eventually(lambda: lb.states()[server.address] == "healthy")
    eventually(lambda: ask(lb.public) and server.requests)
    server.close()


def test_the_last_usable_server_is_never_ejected(start_lb, upstream):
    bad = [upstream(lambda request: None) for _ in range(3)]
    good = upstream()
    lb = start_lb("workers: 1\nupstreams: [" + ", ".join(f"'{one.address}'" for one in [*bad, good]) + "]\n"
                  "passive: {max_fails: 1, eject_for: 60s, eject_max: 60s, max_ejected: 50%}\n")
    for _ in range(20):
        assert ask(lb.public)[0] == 200
    assert sorted(lb.states().values()) == ["ejected", "ejected", "healthy", "healthy"], "half of four"
    assert 'but="the others are too few' in lb.process.log_text()
    lb = start_lb(f"workers: 1\nupstreams: ['{bad[0].address}']\npassive: {{max_fails: 1}}\nretry: {{deadline: 100ms}}\n")
    assert ask(lb.public)[0] == 502
    assert lb.states() == {bad[0].address: "healthy"}


def test_statuses_and_latencies_eject_where_configured_whatever_probes_say(start_lb, upstream):
    bad = upstream(lambda request: response(500))
    slow = upstream(lambda request: time.sleep(0.05) or response())
    good = upstream()
    upstreams = f"workers: 1\nupstreams: ['{{}}', '{good.address}']\nhealth: {{{{uri: /health, interval: 10ms}}}}\n"
    passive = "passive: {{max_fails: 2, eject_for: 60s, eject_max: 60s, {}}}\n"
    for server, how, why in [(bad, "statuses: [500]", "a status of passive.statuses"),
                             (slow, "latency: 20ms", "slower than passive.latency")]:
        lb = start_lb(upstreams.format(server.address) + passive.format(how))
        for _ in range(8):
            ask(lb.public)
        eventually(lambda: lb.states()[server.address] == "ejected")
        assert "2 failures in 10s, the last: " + why in lb.upstreams()[server.address]["reason"]
        passed = lb.metric("lb_health_checks_total", upstream=server.address, result="pass")
        eventually(lambda: lb.metric("lb_health_checks_total", upstream=server.address, result="pass") > passed + 3)
        assert lb.states()[server.address] == "ejected"
        lb = start_lb(upstreams.format(server.address))
        assert all(ask(lb.public)[0] in (200, 500) for _ in range(8))
        assert lb.states()[server.address] == "healthy", "not by default"


def test_after_an_ejection_one_request_at_a_time_until_it_has_answered(start_lb, upstream):
    release, is_ill = threading.Event(), [True]

    def slowly(connection):
        release.wait(20)
        connection.sendall(response(body=b"tried"))
    server = upstream(lambda request: None if is_ill else slowly)
    good = upstream(lambda request: response(body=b"good"))
    lb = start_lb(f"workers: 4\npolicy: first\nupstreams: ['{server.address}', '{good.address}']\n"
                  "passive: {max_fails: 1, eject_for: 100ms, eject_max: 100ms}\n")
    assert ask(lb.public)[2] == b"good"
    is_ill.clear()
    eventually(lambda: explained(lb, server)["is_on_trial"])
    asked = len(server.requests)
    trial = Client(lb.public).send("GET /trial HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(server.requests) == asked + 1)
    assert {ask(lb.public)[2] for _ in range(40)} == {b"good"}  # of whichever worker
    release.set()
    assert trial.response()[2] == b"tried"
    eventually(lambda: not explained(lb, server)["is_on_trial"])
    assert {ask(lb.public)[2] for _ in range(5)} == {b"tried"}


def test_who_fails_on_trial_is_out_again_at_once(start_lb, upstream):
    server, good = upstream(lambda request: None), upstream()
    lb = start_lb(f"workers: 1\npolicy: first\nupstreams: ['{server.address}', '{good.address}']\n"
                  "passive: {max_fails: 3, eject_for: 50ms, eject_max: 60s}\n")
    assert [ask(lb.public)[0] for _ in range(3)] == [200] * 3
    eventually(lambda: explained(lb, server)["is_on_trial"])
    assert ask(lb.public)[0] == 200
    eventually(lambda: "on trial after its ejection, and again: closed" in lb.upstreams()[server.address]["reason"])


def test_an_unreachable_server_at_start_does_not_keep_lb_from_serving(start_lb, upstream):
    good = upstream()
    lb = start_lb(f"upstreams: ['127.0.0.1:{free_port()}', '{good.address}']\nhealth: {{uri: /health}}\n")
    assert sorted(lb.states().values()) in (["healthy", "unhealthy"], ["healthy", "unknown"])
    assert [ask(lb.public)[0] for _ in range(4)] == [200] * 4


def test_a_hung_server_at_start_delays_the_listeners_by_one_timeout_at_most(start_lb, upstream):
    hung = upstream(lambda request: lambda connection: time.sleep(20), probes=False)
    good = upstream()
    lb = start_lb(f"upstreams: ['{hung.address}', '{good.address}']\nhealth: {{uri: /health, timeout: 300ms}}\n")
    assert {ask(lb.public)[0] for _ in range(4)} == {200}
    assert all(request.target == "/health" for request in hung.requests), "unknown is used only where none is healthy"


def test_a_server_may_say_that_it_drains(start_lb, upstream):
    finishing = upstream(lambda request: response(body=b"last", fields=[("Lb-Drain", "1")]))
    other = upstream(lambda request: response(body=b"other"))
    finishing.probes = True
    lb = start_lb(f"workers: 1\nupstreams: ['{finishing.address}', '{other.address}']\nhealth: {{uri: /health, interval: 1h}}\n")
    answers = [ask(lb.public) for _ in range(2)]
    assert {answer[2] for answer in answers} == {b"last", b"other"}
    assert all("lb-drain" not in answer[1] for answer in answers)
    eventually(lambda: "draining" in [entry["to"] for entry in lb.upstreams()[finishing.address]["history"]])


def test_the_admin_port_tells_everything(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{server.address}', name: one}}]\nhealth: {{uri: /health}}\n")
    for _ in range(3):
        ask(lb.public, "/x")
    assert ask(lb.admin, "/healthz")[0] == 200
    assert ask(lb.admin, "/readyz")[0] == 200
    status, fields, body = ask(lb.admin, "/upstreams")
    assert fields["content-type"] == "application/json"
    one = json.loads(body)["pools"][0]["upstreams"][0]
    assert (one["name"], one["address"], one["state"], one["requests"], one["failures"], one["in_flight"]) == (
        "one", server.address, "healthy", 3, 0, 0)
    assert one["since"] and one["reason"]
    status, fields, body = ask(lb.admin, "/")
    assert fields["content-type"].startswith("text/html")
    page = body.decode()
    assert "one" in page and "healthy" in page and "3 requests, 0 cut, 0 local errors" in page and "(0 attempts repeated)" in page
    rates = r'Requests/s</th>.*?<td class="n">(.*?)</td>'
    assert re.search(rates, page, re.S).group(1) == "–", "one look tells no rate"
    eventually(lambda: re.search(rates, ask(lb.admin, "/")[2].decode(), re.S).group(1).isdigit())
    assert b"uri: \"/health\"" in ask(lb.admin, "/config")[2]
    assert lb.get_admin("/debug/exchanges") == ""
    assert ask(lb.admin, "/nothing")[0] == 404
    client = Client(lb.admin)
    client.send("POST /upstreams HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 0\r\n\r\n" % lb.admin)
    assert client.response()[0] == 405
    assert lb.metric("lb_requests_total", pool="default", code="200") == 3
    assert lb.metric("lb_upstream_responses_total", upstream="one", code_class="2xx") == 3
    assert lb.metric("lb_request_duration_seconds_count", code_class="2xx") == 3
    assert lb.metric("lb_upstream_up", upstream="one") == 1
    assert lb.metric("lb_upstream_state", upstream="one", state="healthy") == 1
    assert lb.metric("lb_upstream_connections", upstream="one") == 1
    assert lb.metric("lb_listener_connections_total") == 3
    assert lb.metric("lb_build_info") == 1


def test_a_request_under_way_is_shown(start_lb, upstream):
    lb = start_lb(f"upstreams: ['{upstream(lambda request: lambda connection: time.sleep(5)).address}']\n")
    client = Client(lb.public)
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: "exchange GET /slow phase=Waiting" in lb.get_admin("/debug/exchanges"))
    client.close()


def test_metrics_are_well_formed(start_lb, upstream):
    lb = start_lb(f"upstreams: ['{upstream().address}']\n")
    helped, typed = set(), set()
    for line in lb.get_admin("/metrics").splitlines():
        if line.startswith("# HELP"):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE"):
            assert line.split()[2] not in typed, "a family is printed once"
            typed.add(line.split()[2])
    assert helped == typed and len(typed) > 30


def test_sigterm_drains_and_exits_0(start_lb, upstream):
    release = []

    def slow(connection):
        eventually(lambda: release)
        connection.sendall(response(body=b"whole"))
    server = upstream(lambda request: slow if request.target == "/slow" else response())
    lb = start_lb(f"upstreams: ['{server.address}']\nshutdown: {{delay: {patient_ms(0.3)}, grace: {patient_ms(10)}}}\n")
    idle, busy = Client(lb.public), Client(lb.public)
    assert idle.get()[0] == 200
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: any(request.target == "/slow" for request in server.requests))
    lb.process.send_signal(signal.SIGTERM)
    eventually(lambda: ask(lb.admin, "/readyz")[0] == 503, 2)
    status, fields, _ = ask(lb.public)  # still accepting
    assert status == 200 and fields["connection"] == "close"
    assert lb.metric("lb_draining") == 1
    assert idle.is_closed(), "a connection without request is closed when the delay is over"
    assert lb.process.is_running()
    release.append(True)
    status, fields, body = busy.response()
    assert (status, body) == (200, b"whole")
    assert lb.process.wait() == 0
    assert "stopped" in lb.process.log_text()


def test_the_grace_ends_what_does_not_end_by_itself(start_lb, upstream):
    server = upstream(lambda request: lambda connection: time.sleep(20))
    lb = start_lb(f"upstreams: ['{server.address}']\nshutdown: {{grace: 300ms}}\n")
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.requests)
    lb.process.send_signal(signal.SIGTERM)
    assert lb.process.wait(5) == 0


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT]])
def test_sigint_ends_in_order_and_twice_at_once(start_lb, upstream, signals):
    server = upstream(lambda request: lambda connection: time.sleep(20))
    lb = start_lb(f"upstreams: ['{server.address}']\nshutdown: {{grace: 60s}}\n")
    if len(signals) == 2:
        client = Client(lb.public)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: server.requests)
    for number in signals:
        lb.process.send_signal(number)
        eventually(lambda: "signal" in lb.process.log_text() or not lb.process.is_running())
        time.sleep(0.05)  # two signals at once would be one
    assert lb.process.wait(5) == 0
