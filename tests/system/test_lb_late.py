"""lb had no turn for a while (SIGSTOP, a busy machine): what its peers sent in time is read before any time-out judges them."""
import contextlib
import os
import re
import signal
import time

import pytest
from system.upstream import Client, eventually, response

LIMIT = 1.0  # of the time-out that each test is about, in seconds


def thread_states(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as stat:
            yield stat.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def stopped(lb):
    """lb is stopped meanwhile, for so long that the time-out is over when it goes on."""
    lb.process.pause()
    eventually(lambda: all(state == "T" for state in thread_states(lb.process.pid)))
    begun = time.monotonic()
    yield
    time.sleep(max(0.0, begun + 1.5 * LIMIT - time.monotonic()))
    lb.process.resume()


class Held:
    """A server whose responses come when the test says so."""

    def __init__(self, upstream):
        self.connections = []
        self.server = upstream(lambda request: self.connections.append)
        self.address = self.server.address

    def waits(self):
        eventually(lambda: self.connections)

    def say(self, data):
        self.connections[-1].sendall(data)  # on loopback it is in lb's socket when this returns


def one_server(start_lb, server, timeouts, more=""):
    return start_lb(f"workers: 1\nupstreams: [{{address: '{server.address}', name: one}}]\ntimeouts: {{{timeouts}}}\n{more}")


def has_read_all(lb, client):
    """Whether nothing that this client sent is left in lb's socket."""
    ours = client.socket.getsockname()[1]
    with open("/proc/net/tcp") as table:
        row = re.search(rf": \w+:{lb.public:04X} \w+:{ours:04X} \w+ \w+:(\w+)", table.read())
    return row is not None and int(row.group(1), 16) == 0


@pytest.mark.parametrize("request_text", ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_response_that_is_there_wins_over_first_byte(start_lb, upstream, request_text):
    held = Held(upstream)
    lb = one_server(start_lb, held, "first_byte: 1s")
    client = Client(lb.public, 20).send(request_text)
    held.waits()
    with stopped(lb):
        held.say(response(body=b"in time"))
    assert client.response()[2] == b"in time"
    assert len(held.server.requests) == 1 and lb.states() == {"one": "healthy"}
    assert lb.metric("lb_attempts_total", result="first_byte_timeout") == 0


def test_the_rest_of_a_response_that_is_there_wins_over_idle(start_lb, upstream):
    held = Held(upstream)
    lb = one_server(start_lb, held, "idle: 1s")
    client = Client(lb.public, 20).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    held.waits()
    held.say(b"HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nContent-Length: 8\r\n\r\nhalf")
    assert client.stream.peek(1)[:1] == b"H"
    with stopped(lb):
        held.say(b"rest")
    assert client.response()[2] == b"halfrest"


def test_the_rest_of_a_head_that_is_there_wins_over_client_head(start_lb, upstream):
    lb = one_server(start_lb, upstream(), "client_head: 1s")
    client = Client(lb.public, 20)
    assert client.get()[0] == 200
    client.send("GET / HTTP/1.1\r\n")
    eventually(lambda: has_read_all(lb, client))
    with stopped(lb):
        client.send("Host: a\r\n\r\n")
    assert client.response()[0] == 200


def test_the_rest_of_a_body_that_is_there_wins_over_client_stall(start_lb, upstream):
    lb = one_server(start_lb, upstream(lambda request: response(body=request.body)), "client_stall: 1s")
    client = Client(lb.public, 20).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
    eventually(lambda: has_read_all(lb, client))
    with stopped(lb):
        client.send("rest")
    assert client.response()[2] == b"halfrest"


def test_a_response_that_is_there_wins_over_the_end_of_the_grace(start_lb, upstream):
    held = Held(upstream)
    lb = one_server(start_lb, held, "idle: 1h", "shutdown: {grace: 1s}\n")
    client = Client(lb.public, 20).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    held.waits()
    lb.process.send_signal(signal.SIGTERM)
    lb.process.wait_for_log("info draining")
    with stopped(lb):
        held.say(response(body=b"in time"))
    assert client.response()[2] == b"in time"
    assert lb.process.wait(20) == 0 and lb.ledgers()[-1]["cut"] == 0


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_probe_that_was_under_way_counts_by_its_response(start_lb, upstream, is_connected):
    held, probes = [], []

    def answer(request):
        probes.append(request)
        return held[0] if held else response()
    server = upstream(answer, probes=False)
    lb = one_server(start_lb, server, "idle: 1h", "health: {uri: /health, interval: 50ms, timeout: 1s, fails: 1, stall_timeout: 1s}\n")
    eventually(lambda: lb.states() == {"one": "healthy"})
    for _ in range(1 if is_connected else 5):
        waiting = []
        if is_connected:  # its request is at the server; else it is anywhere
            held.append(waiting.append)
            eventually(lambda waiting=waiting: waiting)
        with stopped(lb):
            held.clear()
            for connection in waiting:
                connection.sendall(response())
        before = len(probes)
        eventually(lambda before=before: len(probes) > before + 2)
    assert lb.metric("lb_health_checks_total", result="timeout") == 0
    assert [each["to"] for each in lb.upstreams()["one"]["history"]] == ["healthy"]
    assert lb.metric("lb_upstream_stalls_total", found="hung") == 0
