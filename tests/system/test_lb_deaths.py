"""A server dies at each point of a request, on a fresh connection and on a kept one: what clients see, method by method."""
import select
import socket
import threading

import pytest
from system.upstream import Client, eventually, listen, read_head, read_message, response

BODY = b"0123456789" * 100
HALF = len(BODY) // 2
RESET = b"\1\0\0\0\0\0\0\0"  # of SO_LINGER: close with a reset


def after_accept(connection, stream):
    """Reads nothing of the request, though it may be there."""
    select.select([connection], [], [], 0.2)


def in_the_request_body(connection, stream):
    read_head(stream)
    stream.read(HALF)


def after_the_request(connection, stream):
    read_message(stream)


def with_a_reset(connection, stream):
    read_message(stream)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def with_nonsense(connection, stream):
    read_message(stream)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


def in_the_head(connection, stream):
    read_message(stream)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def in_a_held_body(connection, stream):
    read_message(stream)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)


def in_a_held_chunk(connection, stream):
    read_message(stream)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")


def in_a_streamed_body(connection, stream):
    read_message(stream)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)


DEATHS = [after_accept, in_the_request_body, after_the_request, with_a_reset, with_nonsense, in_the_head, in_a_held_body,
          in_a_held_chunk, in_a_streamed_body]


class Dying:
    """Dies at the first request of a connection, or where that `is_kept` at its second one."""

    def __init__(self, death, is_kept):
        self.death, self.is_kept = death, is_kept
        self.deaths = 0
        self.took_half = threading.Event()
        self.listener = listen(self.serve)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def serve(self, connection):
        with connection, connection.makefile("rb", buffering=0) as stream:
            if self.is_kept:
                if read_message(stream) is None:
                    return
                connection.sendall(response(body=b"before"))
            self.death(connection, stream)
            self.deaths += 1
        self.took_half.set()


@pytest.fixture
def dying():
    started = []

    def start(death, is_kept):
        started.append(Dying(death, is_kept))
        return started[-1]
    yield start
    for one in started:
        one.listener.close()


def request(method, key):
    fields = f"Content-Length: {len(BODY)}\r\n" if method != "GET" else ""
    fields += "Idempotency-Key: k\r\n" if key else ""
    return f"{method} /dies HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


CASES = [pytest.param(method, key, death, id=f"{method}{'-with-key' if key else ''}-{death.__name__}")
         for method, key in (("GET", False), ("PUT", False), ("POST", True), ("POST", False))
         for death in DEATHS if not (method == "GET" and death is in_the_request_body)]


@pytest.mark.parametrize("is_kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("method, key, death", CASES)
def test_a_death_is_noticed_by_nobody_whose_request_may_be_repeated(start_lb, upstream, dying, method, key, death, is_kept):
    bad, good = dying(death, is_kept), upstream(lambda request: response(body=b"good" + request.body))
    lb = start_lb(f"workers: 1\npolicy: first\nupstreams: ['{bad.address}', '{good.address}']\npassive: {{max_fails: 0}}\n")
    client = Client(lb.public)
    if is_kept:
        assert client.get()[2] == b"before"
    body = b"" if method == "GET" else BODY
    client.send(request(method, key) + body[:HALF])
    if death is in_the_request_body:
        assert bad.took_half.wait(10)
    try:
        client.send(body[HALF:])
    except ConnectionError:
        assert method == "POST" and not key  # it was answered meanwhile
    if death is in_a_streamed_body:
        with pytest.raises(ConnectionResetError):
            client.response()
        assert not good.requests, "cut, and seen to be; not repeated"
        assert lb.metric("lb_request_outcomes_total", outcome="cut") == 1
        return
    status, _, answer = client.response()
    eventually(lambda: bad.deaths == 1, what="the server was never asked: the test tests nothing")
    if method != "POST" or key:
        assert (status, answer) == (200, b"good" + body)
        assert [one.body for one in good.requests] == [body], "whole, and once"
        assert lb.metric("lb_retry_successes_total") == 1
    elif lb.metric("lb_attempts_total", result="undelivered") == 1:
        assert death is after_accept and is_kept and (status, answer) == (200, b"good" + body)
    else:
        assert status == 502 and not good.requests, "it may have been executed: never twice"
    eventually(lambda: lb.metric("lb_upstream_requests_in_flight") == 0)
    assert lb.metric("lb_ledger_imbalance") == 0


@pytest.mark.parametrize("method, key", [("GET", False), ("POST", True)], ids=["GET", "POST with key"])
def test_a_connection_that_nobody_accepts_dies_with_its_listener(start_lb, upstream, method, key):
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    good = upstream(lambda request: response(body=b"good" + request.body))
    lb = start_lb(f"workers: 1\npolicy: first\nupstreams: ['127.0.0.1:{listener.getsockname()[1]}', '{good.address}']\n"
                  "passive: {max_fails: 0}\n")
    body = b"" if method == "GET" else BODY
    client = Client(lb.public).send(request(method, key) + body)
    eventually(lambda: lb.metric("lb_upstream_requests_total") == 1)  # the kernel took it
    assert not good.requests
    listener.close()
    assert client.response()[2] == b"good" + body
    assert lb.metric("lb_retries_total", reason="reset") == 1
