"""A server that hangs keeps its connections and says nothing: its silence asks the question, a probe decides."""
import os
import sys
import threading
import time

import pytest
from stack.process import Process
from system.upstream import Client, ask, eventually, response

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
# Only the stall can tell that a server hangs: neither a probe by the clock nor a timeout comes in time.
PATIENT = "health: {uri: /health, interval: 1h}\ntimeouts: {first_byte: 1h}\n"


@pytest.fixture
def process(tmp_path):
    """process(name) starts a server that can be stopped; its address is `where`."""
    started = []

    def start(name):
        one = Process(name, [sys.executable, os.path.join(os.path.dirname(__file__), "upstream.py"), name],
                      str(tmp_path / f"{name}.log"), env={"PYTHONPATH": os.pathsep.join(sys.path)})
        started.append(one.start())
        one.where = "127.0.0.1:" + one.wait_for_log(r"listening (\d+)").group(1)
        return one

    yield start
    for one in started:
        one.resume()
        one.kill()


def test_a_stopped_server_is_out_by_its_silence_and_nobody_notices(start_lb, process):
    hung, well = process("hung"), process("well")
    lb = start_lb(f"upstreams: ['{hung.where}', '{well.where}']\n{PATIENT}")
    is_over, statuses = threading.Event(), []

    def ask_on_and_on():
        client = Client(lb.public)
        while not is_over.is_set():
            statuses.append(client.get()[0])
    clients = [threading.Thread(target=ask_on_and_on) for _ in range(6)]
    for client in clients:
        client.start()
    eventually(lambda: len(statuses) > 100)
    hung.pause()
    eventually(lambda: lb.states()[hung.where] == "unhealthy")
    before = len(statuses)
    eventually(lambda: len(statuses) > before + 100)
    is_over.set()
    for client in clients:
        client.join()
    assert set(statuses) == {200}
    server = lb.upstreams()[hung.where]
    assert "no byte for" in server["reason"] and "waiting; GET /health: no answer in time after" in server["reason"]
    assert lb.metric("lb_upstream_stalls_total", upstream=hung.where, found="hung") == 1
    assert lb.metric("lb_retries_total", reason="rescued") >= 1
    assert lb.metric("lb_upstream_stalls_total", upstream=well.where, found="hung") == 0
    hung.resume()
    eventually(lambda: lb.states()[hung.where] == "healthy", 5, "the first pass brings it back")
    assert lb.metric("lb_health_checks_total", upstream=hung.where, result="timeout") >= 1
    eventually(lambda: ask(lb.public)[2].startswith(b"hung"))


def test_one_request_at_a_stopped_server_is_rescued_while_nobody_else_asks(start_lb, process):
    hung, well = process("hung"), process("well")
    lb = start_lb(f"workers: 1\nupstreams: ['{hung.where}', '{well.where}']\n{PATIENT}")
    hung.pause()
    assert {ask(lb.public)[2].split()[0] for _ in range(4)} == {b"well"}
    assert lb.states()[hung.where] == "unhealthy"


def test_what_may_not_be_repeated_waits_for_the_stopped_server(start_lb, process):
    hung, well = process("hung"), process("well")
    lb = start_lb(f"workers: 1\nupstreams: ['{hung.where}', '{well.where}']\npolicy: first\n{PATIENT}")
    hung.pause()
    client = Client(lb.public).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    eventually(lambda: lb.states()[hung.where] == "unhealthy")
    assert ask(lb.public)[2].startswith(b"well")
    hung.resume()
    assert client.response()[2] == b"hung 1", "it was sent once, and answered by whom it was sent to"


def test_a_server_that_is_slow_by_nature_is_asked_and_stays(start_lb, upstream):
    release = threading.Event()

    def slowly(connection):
        release.wait(20)
        connection.sendall(response(body=b"slow"))
    slow = upstream(lambda request: slowly)
    quick = upstream(lambda request: response(body=b"quick"))
    lb = start_lb(f"workers: 1\npolicy: first\nupstreams: ['{slow.address}', '{quick.address}']\nhealth: {{uri: /health, interval: 1h}}\n")
    client = Client(lb.public).send(GET)
    eventually(lambda: lb.metric("lb_upstream_stalls_total", upstream=slow.address, found="alive") >= 3)
    release.set()
    assert client.response()[2] == b"slow"
    assert [entry["to"] for entry in lb.upstreams()[slow.address]["history"]] == ["healthy"]
    assert lb.metric("lb_upstream_stalls_total", found="hung") == 0


def test_the_only_server_is_not_suspected_nor_are_all_that_fall_silent_together(start_lb, upstream):
    release = threading.Event()
    probes = []

    def answer(request):
        if request.target == "/health":
            probes.append(request)
            return response()
        return lambda connection: release.wait(20) and connection.sendall(response(body=b"at last"))
    one, two = upstream(answer, probes=False), upstream(answer, probes=False)
    lb = start_lb(f"workers: 1\npools: {{single: {{upstreams: ['{one.address}'], health: {{uri: /health, interval: 1h}}}},"
                  f" pair: {{upstreams: [{{address: '{one.address}', name: one}}, {{address: '{two.address}', name: two}}],"
                  f" health: {{uri: /health, interval: 1h}}}}}}\n"
                  "routes: [{path: /single, pool: single}, {path: /, pool: pair}]\n")
    before = len(probes)
    clients = [Client(lb.public).send(GET.replace(b"/", target, 1)) for target in (b"/single", b"/a", b"/b")]
    eventually(lambda: lb.get_admin("/debug/exchanges").count("phase=Waiting") == 3)
    time.sleep(0.6)  # six times the silence that would be unusual
    assert len(probes) == before
    release.set()
    assert [client.response()[2] for client in clients] == [b"at last"] * 3


def test_stall_detection_can_be_switched_off(start_lb, upstream):
    release = threading.Event()
    slow = upstream(lambda request: lambda connection: release.wait(20) and connection.sendall(response()))
    lb = start_lb(f"workers: 1\npolicy: first\nupstreams: ['{slow.address}', '{upstream().address}']\n"
                  "health: {uri: /health, interval: 1h, stall_after: 0s}\n")
    client = Client(lb.public).send(GET)
    time.sleep(0.5)
    assert lb.metric("lb_upstream_stalls_total") == 0
    release.set()
    assert client.response()[0] == 200
