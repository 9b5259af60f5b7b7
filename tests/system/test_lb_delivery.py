"""A server that ends a connection at an unfortunate moment: no POST is done twice, no cut response passes for a whole one.

lb is stopped (SIGSTOP) while its client and its servers act, so that it finds both in one turn, the client's bytes first.
"""
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import threading

import pytest
from system.upstream import Client, RawServer, ask, eventually, listen, read_message, response

SIOCOUTQNSD = 0x894B  # bytes not sent yet
RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: close with a reset


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def states(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as stat:
            yield stat.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def stopped(lb):
    os.kill(lb.process.pid, signal.SIGSTOP)
    try:
        while set(states(lb.process.pid)) != {"T"}:
            pass
        yield
    finally:
        os.kill(lb.process.pid, signal.SIGCONT)


def send_and_wait(client, data):
    """Sends, and waits until the bytes have left the sender: on loopback they are then in lb's socket."""
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.send(data)
    while struct.unpack("i", fcntl.ioctl(client.socket, SIOCOUTQNSD, b"\0" * 4))[0] > 0:
        pass


class Server:
    """Answers one request on each connection, so that it is kept, and hands over what it accepts."""

    def __init__(self):
        self.kept = []  # connections, and their streams, that have answered one request
        self.listener = listen(self._serve)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def _serve(self, connection):
        stream = connection.makefile("rb", buffering=0)
        if read_message(stream) is not None:
            self.kept.append((connection, stream))
            connection.sendall(response(body=b"before"))

    def close(self):
        self.listener.close()


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


def attempts(lb, *results):
    return sum(lb.metric("lb_attempts_total", result=result) for result in results)


def config(*servers, more=""):
    addresses = ", ".join(repr(server.address) for server in servers)
    return f"workers: 1\npolicy: first\nupstreams: [{addresses}]\npassive: {{max_fails: 0}}\n{more}"


# --- A reset that a write is told of first --------------------------------------------------------------------------

@pytest.mark.parametrize("more", ["", "retry: {prove_undelivered: true}\n"], ids=["default", "prove_undelivered"])
def test_a_post_that_its_server_began_to_read_is_not_repeated(start_lb, upstream, server, more):
    other = upstream(lambda request: response(body=b"again"))
    lb = start_lb(config(server, other, more=more))
    for number in range(10):
        client = Client(lb.public)
        assert client.get()[2] == b"before"
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20010\r\n\r\n0123456789")
        connection, stream = server.kept[number]
        select.select([connection], [], [])
        with stopped(lb):
            assert connection.recv(65536).endswith(b"0123456789")
            send_and_wait(client, b"x" * 20_000)
            stream.close()
            reset(connection)
        assert client.response()[0] == 502
    assert not other.requests, "it was read, so it may have been executed"
    assert attempts(lb, "undelivered") == 0


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_response_that_a_reset_cuts_is_not_passed_off_as_whole(start_lb, version):
    go, gone = threading.Event(), threading.Event()

    def cut(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe first half")  # its end is the connection's
        assert go.wait(10)
        reset(connection)
        stream.close()
        gone.set()
        return "close"

    server = RawServer(cut)
    lb = start_lb(config(server))
    client = Client(lb.public).send(f"POST / HTTP/{version}\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
    assert client.response(to_head=True)[0] == 200
    with stopped(lb):
        send_and_wait(client, b"x" * 20_000)  # more than lb keeps for the end of its turn
        go.set()
        assert gone.wait(10)
    with pytest.raises(ConnectionResetError):
        client.stream.read()
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="cut") == 1)
    assert lb.metric("lb_request_outcomes_total", outcome="answered") == 0
    server.close()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_response_that_ended_before_the_reset_is_whole(start_lb, version):
    """A server that answers early and closes resets what still comes of the request, after its FIN."""
    go, gone = threading.Event(), threading.Event()

    def answer(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe first half")
        assert go.wait(10)
        connection.sendall(b", and the other")
        connection.shutdown(socket.SHUT_RDWR)
        gone.set()
        return "close"

    server = RawServer(answer)
    lb = start_lb(config(server))
    client = Client(lb.public).send(f"POST / HTTP/{version}\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
    status, fields, _ = client.response(to_head=True)
    with stopped(lb):
        send_and_wait(client, b"x" * 40_000)
        go.set()
        assert gone.wait(10)
    rest = client.stream.read()
    assert rest.endswith(b", and the other" + (b"\r\n0\r\n\r\n" if version == "1.1" else b""))
    assert lb.metric("lb_request_outcomes_total", outcome="answered") == 1
    server.close()


# --- An end that comes before the request leaves ----------------------------------------------------------------------

def test_a_post_never_goes_out_on_a_connection_that_the_kernel_knows_to_be_closed(start_lb, server):
    lb = start_lb(config(server))
    for number in range(3):
        assert ask(lb.public)[2] == b"before"  # each time on a new connection
        connection, stream = server.kept[number]
        client = Client(lb.public)
        eventually(lambda: lb.metric("lb_listener_connections") >= 1)
        with stopped(lb):
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            connection.shutdown(socket.SHUT_WR)
        assert client.response()[::2] == (200, b"before"), "by the server, on a new connection"
        assert stream.read() == b"", "a server that half-closed would have executed it"
        for one in reversed(server.kept.pop()):  # the stream, then its connection
            one.close()
        eventually(lambda: lb.metric("lb_upstream_connections", state="idle") == 0)
    assert attempts(lb, "undelivered", "closed_idle") == 0


def test_however_many_connections_were_closed_a_get_costs_one_failed_attempt(start_lb, upstream):
    servers = [upstream(lambda request, name=name: response(body=name)) for name in (b"a", b"b")]
    lb = start_lb(config(*servers).replace("policy: first", "policy: round_robin"))
    last = [ask(lb.public)[2] for _ in range(2)]
    assert sorted(last) == [b"a", b"b"]
    client = Client(lb.public)
    next_one, other = servers if last[0] == b"a" else reversed(servers)
    with stopped(lb):
        send_and_wait(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for closing in (next_one, other):
            for connection in list(closing.open):
                connection.shutdown(socket.SHUT_RDWR)
    assert client.response()[0] == 200
    assert attempts(lb, "closed_idle", "undelivered") <= 1  # 0 if lb sees the ends before the request


def test_what_a_server_says_unasked_is_not_the_next_clients_response(start_lb, server):
    lb = start_lb(config(server))
    assert ask(lb.public)[2] == b"before"
    client = Client(lb.public)
    eventually(lambda: lb.metric("lb_listener_connections") >= 1)
    with stopped(lb):
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.kept[0][0].sendall(response(body=b"unasked"))
    assert client.response()[::2] == (200, b"before")


class HalfClosing:
    """Keeps its connections until half_close(), reads the request that may still come, and resets at once."""

    def __init__(self):
        self.executed = 0
        self.connections = []
        self.listener = listen(self._serve)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def _serve(self, connection):
        stream = connection.makefile("rb", buffering=0)
        while connection.recv(1, socket.MSG_PEEK):
            if connection in self.connections:
                self.executed += 1
                stream.close()
                return reset(connection)
            read_message(stream)
            connection.sendall(response(body=b"before"))
            self.connections.append(connection)

    def half_close(self):
        with contextlib.suppress(OSError):  # it has read a request already, and reset
            self.connections[-1].shutdown(socket.SHUT_WR)


def test_a_post_that_a_half_closed_server_read_is_not_repeated(start_lb, upstream):
    """The end comes after lb had a look at the connection, and before it writes there: at the end of a long turn."""
    half_closing, other = HalfClosing(), upstream(lambda request: response(body=b"again"))

    def trigger(connection, stream, head):
        if head.startswith("POST"):
            half_closing.half_close()
            stream.read(20_000)
        connection.sendall(response())

    triggering = RawServer(trigger)
    lb = start_lb("listen: 127.0.0.1:0\nworkers: 1\nroutes: [{path: /trigger, pool: trigger}, {path: /long, pool: other}, {pool: tried}]\n"
                  f"pools:\n  trigger: {{upstreams: ['{triggering.address}']}}\n  other: {{upstreams: ['{other.address}']}}\n"
                  f"  tried: {{policy: first, upstreams: ['{half_closing.address}', '{other.address}'], passive: {{max_fails: 0}}}}\n")
    for number in range(60):  # the end comes in time in one of ten or so
        clients = [Client(lb.public) for _ in range(10)]
        client, hint, *crowd = clients
        assert client.get()[2] == b"before" and hint.get("/trigger")[0] == 200
        eventually(lambda: lb.metric("lb_listener_connections", listener="public") == 10)
        with stopped(lb):
            send_and_wait(client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            send_and_wait(hint, b"POST /trigger HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000)  # leaves at once
            for one in crowd:
                send_and_wait(one, b"POST /long HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 9000)
        executed = half_closing.executed
        answered = client.response()[2] == b"again"
        assert hint.response()[0] == 200
        assert not (answered and half_closing.executed > executed), f"round {number}: done twice"
        for one in clients:
            one.close()
        eventually(lambda: lb.metric("lb_listener_connections", listener="public") == 0)
    half_closing.listener.close()
    triggering.close()
