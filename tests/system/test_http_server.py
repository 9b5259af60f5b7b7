"""The small HTTP server, which serves lb's admin port and the shortener: who does not read, and who has said all."""
import select
import socket
import time

from system.upstream import Client, eventually

LB = "upstreams: [127.0.0.1:9]\n"
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


def small_client(port):
    """A client whose kernel takes little before its program reads."""
    client = Client.__new__(Client)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(20)
    client.socket.connect(("127.0.0.1", port))
    client.stream = client.socket.makefile("rb")
    return client


def test_who_asks_and_does_not_read_is_not_answered_for_ever(start_lb):
    lb = start_lb(LB)
    lb.get_admin("/metrics")
    before = lb.process.rss_bytes()
    client = small_client(lb.admin)
    client.socket.setblocking(False)
    sent = 0
    # Until the server has taken no more of it for a while: its answers would be hundreds of times as long.
    while sent < 4 << 20 and select.select([], [client.socket], [], 0.5)[1]:
        sent += client.socket.send(GET * 100)
    assert sent < 4 << 20, "it reads on and on"
    if not lb.process.is_sanitized():
        assert lb.process.rss_bytes() - before < 8 << 20
    client.socket.settimeout(20)
    for _ in range(200):  # and none is lost, nor is one of those that were not read for so long
        status, _, body = client.response()
        assert status == 200 and body.startswith(b"# HELP") and body.endswith(b"\n")
    client.close()


def test_who_has_said_all_is_answered_to_the_last_byte(start_lb):
    lb = start_lb(LB)
    client = small_client(lb.admin)
    asked = 300
    client.send(GET * asked)
    client.socket.shutdown(socket.SHUT_WR)
    time.sleep(0.2)  # by now it has seen the end, and has most of the answers still before it
    for _ in range(asked):
        status, _, body = client.response()
        assert status == 200 and body is not None and body.endswith(b"\n")
    assert client.is_closed()


def test_the_end_of_the_stream_behind_half_a_request_cuts_no_answer(start_lb):
    lb = start_lb(LB)
    client = small_client(lb.admin)
    client.send(GET * 300)
    eventually(lambda: client.stream.peek(1))
    client.send(b"GET /met")
    client.socket.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    for _ in range(300):
        status, _, body = client.response()
        assert status == 200 and body is not None and body.endswith(b"\n")
    assert client.is_closed()
