"""Bodies through lb: of any size in little memory, in every framing, to and from HTTP/1.0, whole or seen to be cut."""
import os
import select
import socket
import threading
import time

import pytest
from system.upstream import Client, RawServer, eventually, read_head, response

MIB = 1 << 20
SIZE = 1024 * MIB
BOUND = 16 * MIB
# Its length fits no buffer's: bytes that are lost, repeated or swapped show.
PATTERN = os.urandom(1_000_003)
CHUNK = b"%x\r\n%s\r\n" % (len(PATTERN), PATTERN)
PATIENT = "timeouts: {client_stall: 60s, idle: 60s, first_byte: 60s}\n"


@pytest.fixture
def raw_server():
    started = []

    def start(serve):  # one request on each connection
        started.append(RawServer(lambda *asked: (serve(*asked), "close")[1]))
        return started[-1]

    yield start
    for one in started:
        one.close()


def send_body(connection, is_chunked):
    left = SIZE
    while left >= len(PATTERN):
        connection.sendall(CHUNK if is_chunked else PATTERN)
        left -= len(PATTERN)
    rest = PATTERN[:left]
    connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (left, rest) if is_chunked else rest)


class Checker:
    """Compares a body with the pattern as it comes."""

    def __init__(self):
        self.bytes = 0
        self.twice = PATTERN + PATTERN

    def take(self, piece):
        at = self.bytes % len(PATTERN)
        while piece:
            now = piece[:len(PATTERN)]
            assert now == self.twice[at:at + len(now)], f"wrong bytes after {self.bytes}"
            self.bytes += len(now)
            at = self.bytes % len(PATTERN)
            piece = piece[len(now):]


def read_body(stream, is_chunked, stall, checker):
    """Reads it all; calls stall() once, after some of it."""
    while checker.bytes < SIZE:
        if is_chunked:
            size = int(stream.readline(), 16)
            assert size > 0, f"it ends after {checker.bytes}"
            piece = stream.read(size + 2)[:-2]
        else:
            piece = stream.read1(MIB)
            assert piece, f"it ends after {checker.bytes}"
        checker.take(piece)
        if stall is not None and checker.bytes > 8 * MIB:
            stall()
            stall = None
    if is_chunked:
        assert (stream.readline(), stream.readline()) == (b"0\r\n", b"\r\n")


class Memory:
    """The most that lb holds, over what it held at the beginning."""

    def __init__(self, lb):
        self.process = lb.process
        self.before = self.process.rss_bytes()
        self.most = 0
        self.is_over = False
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.is_over:
            self.most = max(self.most, self.process.rss_bytes() - self.before)
            time.sleep(0.01)

    def end(self):
        self.is_over = True
        self.thread.join()
        assert self.process.is_sanitized() or self.most < BOUND, f"{self.most / MIB:.1f} MiB"


def stand_still():
    """Long enough for the sender to fill whatever would be filled."""
    time.sleep(0.7)


def lb_before(start_lb, address, more=""):
    return start_lb(f"upstreams: ['{address}']\nlimits: {{request_body: 2GiB}}\nworkers: 1\n{PATIENT}{more}")


# --- A gigabyte -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_gigabyte_comes_down_in_little_memory(start_lb, raw_server, is_chunked):
    def serve(connection, stream, head):
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % SIZE
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        send_body(connection, is_chunked)

    lb = lb_before(start_lb, raw_server(serve).address)
    memory = Memory(lb)
    client = Client(lb.public, timeout=60)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    read_head(client.stream)
    checker = Checker()
    read_body(client.stream, is_chunked, stand_still, checker)
    memory.end()
    assert checker.bytes == SIZE
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="answered") == 1)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_gigabyte_goes_up_in_little_memory(start_lb, raw_server, is_chunked):
    checker = Checker()

    def serve(connection, stream, head):
        assert ("chunked" in head) == is_chunked
        read_body(stream, is_chunked, stand_still, checker)
        connection.sendall(response(body=b"all"))

    lb = lb_before(start_lb, raw_server(serve).address)
    memory = Memory(lb)
    client = Client(lb.public, timeout=60)
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {SIZE}"
    client.send(f"PUT / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")
    send_body(client.socket, is_chunked)
    assert client.response()[2] == b"all"
    memory.end()
    assert checker.bytes == SIZE


def test_a_trickle_that_is_always_behind_takes_no_memory(start_lb, raw_server):
    """The client takes as fast as the server sends, and is never done: what it took must not stay in memory."""
    piece = bytes(30_000)
    count = 2000

    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * (count + 200)))
        for _ in range(count + 200):
            connection.sendall(piece)

    lb = lb_before(start_lb, raw_server(serve).address)
    memory = Memory(lb)
    client = Client.__new__(Client)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.socket.settimeout(60)
    client.socket.connect(("127.0.0.1", lb.public))
    client.stream = client.socket.makefile("rb")
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    taken = 0
    while taken < len(piece) * (count + 200):
        got = client.socket.recv(20_000)
        assert got
        taken += len(got)
    memory.end()


# --- In the middle ---------------------------------------------------------------------------------------------------


def reset(client):
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_who_leaves_in_an_upload_cancels_it(start_lb, raw_server, framing, how):
    seen = []

    def serve(connection, stream, head):
        connection.settimeout(20)
        try:
            seen.append(stream.read())  # to the end of the stream: of the connection, not of the body
        except ConnectionResetError:
            seen.append(b"reset")

    lb = lb_before(start_lb, raw_server(serve).address)
    client = Client(lb.public)
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n2\r\nab\r\n")
    eventually(lambda: lb.metric("lb_upstream_requests_total") == 1)
    client.close() if how == "end" else reset(client)
    eventually(lambda: seen, what="the server's connection ends as well")
    assert not seen[0].endswith(b"0\r\n\r\n"), "a body that was cut must not look whole"
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="client_gone") == 1)
    assert lb.metric("lb_ledger_imbalance") == 0 and lb.metric("lb_upstream_connections") == 0


def test_who_leaves_in_a_download_cancels_it(start_lb, raw_server):
    done = threading.Event()

    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        try:
            send_body(connection, False)
        finally:
            done.set()

    server = raw_server(serve)
    lb = lb_before(start_lb, server.address)
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.socket.recv(MIB)
    reset(client)
    assert done.wait(20) and server.failures, "the server could not send all"
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="client_gone") == 1)
    assert lb.metric("lb_ledger_imbalance") == 0 and lb.metric("lb_requests_in_flight") == 0


@pytest.mark.parametrize("end", ["keeps reading", "closes", "resets"])
def test_an_early_answer_reaches_a_client_that_still_sends(start_lb, raw_server, end):
    """413 after the head, whatever the server does with the rest of the body."""
    release = threading.Event()

    def serve(connection, stream, head):
        connection.sendall(response(status=413, body=b"too much", reason="Content Too Large",
                                    fields=[("Connection", "close")]))
        if end == "keeps reading":
            while stream.read(MIB):
                pass
        elif end == "resets":
            release.wait(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    lb = lb_before(start_lb, raw_server(serve).address)
    client = Client(lb.public, timeout=30)
    size = 20 * MIB
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
    failed = []

    def send_all():  # like a client that reads only when it has sent all
        try:
            for _ in range(20):
                client.send(bytes(MIB))
        except OSError as problem:
            failed.append(problem)

    sender = threading.Thread(target=send_all)
    sender.start()
    sender.join(20)
    status, fields, body = client.response()
    assert (status, body, fields["connection"]) == (413, b"too much", "close")
    assert client.is_closed()
    release.set()
    assert not failed, "lb took what came after the answer, so that the answer was not lost"
    assert lb.metric("lb_ledger_imbalance") == 0


def test_a_body_and_its_answer_flow_at_the_same_time(start_lb, raw_server):
    """The server answers each piece as it comes: neither direction waits for the other's end."""
    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n")
        while True:
            size = int(stream.readline(), 16)
            piece = stream.read(size + 2)[:-2]
            connection.sendall(b"%x\r\n%s\r\n" % (size, piece))
            if size == 0:
                return

    lb = lb_before(start_lb, raw_server(serve).address)
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n")
    read_head(client.stream)
    for n in range(20):
        assert client.stream.readline() == b"1\r\n"
        assert client.stream.read(3) == b"%d\r\n" % (n % 10)
        client.send(b"1\r\n%d\r\n" % ((n + 1) % 10))
    client.send(b"0\r\n\r\n")


def test_neither_side_reading_ends_by_the_clients_time_out(start_lb, raw_server):
    """Both wait for the other to read: a circle that only a time-out breaks."""
    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        send_body(connection, False)

    lb = start_lb(f"upstreams: ['{raw_server(serve).address}']\nlimits: {{request_body: 2GiB}}\n"
                  "timeouts: {client_stall: 500ms, first_byte: 60s, idle: 60s}\n")
    client = Client(lb.public, timeout=30)
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")
    with pytest.raises(OSError):
        send_body(client.socket, False)
    eventually(lambda: lb.metric("lb_listener_timeouts_total", awaited="response") == 1)
    eventually(lambda: lb.metric("lb_requests_in_flight") == 0)
    assert lb.metric("lb_ledger_imbalance") == 0


# --- Framings --------------------------------------------------------------------------------------------------------

BODY = os.urandom(200_000)
CHUNKED_BODY = b"".join(b"%x\r\n%s\r\n" % (len(BODY[i:i + 7777]), BODY[i:i + 7777]) for i in range(0, len(BODY), 7777))

# How a server of either version may frame a response; the last ones end with the connection.
RESPONSES = {
    "1.1 length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "1.1 chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_BODY + b"0\r\n\r\n",
    "1.1 close": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "1.0 length": b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "1.0 keep-alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "1.0 close": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("client_version", ["1.0", "1.0 keep-alive", "1.1"])
@pytest.mark.parametrize("kind", RESPONSES)
def test_every_response_framing_reaches_every_client(start_lb, raw_server, kind, client_version):
    lb = lb_before(start_lb, raw_server(lambda connection, stream, head: connection.sendall(RESPONSES[kind])).address)
    version, _, keep_alive = client_version.partition(" ")
    client = Client(lb.public)
    client.send(f"GET / HTTP/{version}\r\nHost: a\r\n" + ("Connection: keep-alive\r\n" if keep_alive else "") + "\r\n")
    status, fields, body = client.response()
    assert status == 200 and body == BODY
    if version == "1.0":
        assert "transfer-encoding" not in fields
    if version == "1.0" and not keep_alive:
        assert client.is_closed()
    if "content-length" in fields and keep_alive:
        assert fields["connection"] == "keep-alive"


@pytest.mark.parametrize("kind", [kind for kind in RESPONSES if "close" not in kind])
@pytest.mark.parametrize("client_version", ["1.0", "1.1"])
def test_a_response_cut_by_its_server_is_cut_for_its_client(start_lb, raw_server, kind, client_version):
    def serve(connection, stream, head):
        connection.sendall(RESPONSES[kind][:150_000])

    lb = lb_before(start_lb, raw_server(serve).address)
    client = Client(lb.public)
    client.send(f"GET / HTTP/{client_version}\r\nHost: a\r\n\r\n")
    try:
        whole = client.response()[2]
    except ConnectionResetError:
        whole = None
    assert whole is None, "it looked whole"
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="cut") == 1)


def test_requests_of_http10_with_a_body_arrive(start_lb, upstream):
    server = upstream(lambda request: response(body=request.body))
    lb = lb_before(start_lb, server.address)
    client = Client(lb.public)
    client.send(f"POST / HTTP/1.0\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
    assert client.response()[2] == BODY
    assert client.is_closed()


BODILESS = [("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, "1234"),
            ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
            ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", 200, None),
            ("HEAD", b"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\n", 404, "9"),
            ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
            ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: a\r\n\r\n", 304, "77"),
            ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", 304, None),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "0"),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "0")]


@pytest.mark.parametrize("method,answer,status,length", BODILESS, ids=[f"{n}" for n in range(len(BODILESS))])
def test_a_response_without_a_body_ends_with_its_head(start_lb, upstream, method, answer, status, length):
    lb = lb_before(start_lb, upstream(lambda request: response() if request.target == "/after" else answer).address)
    client = Client(lb.public)
    client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
    got, fields, body = client.response(to_head=method == "HEAD")
    assert (got, body, fields.get("content-length")) == (status, b"", length)
    assert client.response()[2] == b"ok", "the next response begins right behind it"


# --- Pipelining ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_pipelined_requests_with_bodies_are_answered_in_order_however_they_are_cut(start_lb, upstream, step):
    lb = lb_before(start_lb, upstream(lambda request: response(body=request.target.encode() + b":" + request.body)).address)
    client = Client(lb.public, timeout=30)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    count = 40 if step < 100 else 2000
    text = b""
    expected = []
    for n in range(count):
        body = b"%d" % n * (n % 5)
        if n % 3 == 0:
            text += b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n
            body = b""
        elif n % 3 == 1:
            text += b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (n, len(body), body)
        else:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            text += b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % (n, chunk)
        expected.append(b"/%d:%s" % (n, body))

    def send():
        for at in range(0, len(text), step):
            client.send(text[at:at + step])

    sender = threading.Thread(target=send)
    sender.start()
    assert [client.response()[2] for _ in range(count)] == expected
    sender.join()
    assert not select.select([client.socket], [], [], 0.05)[0], "nothing comes unasked"


def test_pipelined_requests_behind_a_half_close_are_all_answered(start_lb, upstream):
    lb = lb_before(start_lb, upstream(lambda request: response(body=request.target.encode())).address)
    client = Client(lb.public)
    client.send("".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(100)))
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.response()[2] for n in range(100)] == [b"/%d" % n for n in range(100)]
    assert client.is_closed()
