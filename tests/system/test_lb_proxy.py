"""lb passes requests and responses on: heads written afresh, bodies whole, connections kept."""
import hashlib
import os
import threading
import time

import pytest
from system.upstream import Client, ask, eventually, response


def lb_for(start_lb, *servers, more=""):
    return start_lb(f"upstreams: [{', '.join(server.address for server in servers)}]\nhealth: {{uri: /health}}\n{more}")


def test_requests_go_round_and_connections_are_kept(start_lb, upstream):
    servers = [upstream(lambda request, n=n: response(body=b"server %d" % n)) for n in range(3)]
    lb = lb_for(start_lb, *servers, more="workers: 1\n")
    client = Client(lb.public)
    bodies = [client.get(f"/{n}")[2] for n in range(9)]
    assert sorted(bodies) == sorted([b"server 0", b"server 1", b"server 2"] * 3)
    assert all(len(set(bodies[i:i + 3])) == 3 for i in range(0, 9, 3)), bodies
    for server in servers:
        numbers = {request.connection_number for request in server.requests}
        assert len(numbers) == 1, "each server was asked on one kept connection"


def test_as_many_connections_are_kept_as_were_needed_at_a_time(start_lb, upstream):
    """Else a busy lb would open one for each request."""
    count = 150
    all_there = threading.Barrier(count, timeout=20)
    server = upstream(lambda request: all_there.wait() is not None and response())
    lb = lb_for(start_lb, server, more="workers: 1\nconnections: {idle_timeout: 1m}\n")
    clients = [Client(lb.public) for _ in range(count)]
    for _ in range(2):
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [client.response()[0] for client in clients] == [200] * count
    first, second = ({request.connection_number for request in server.requests[i:i + count]} for i in (0, count))
    assert len(first) == count and second == first


def test_weights_share_the_requests(start_lb, upstream):
    servers = [upstream(lambda request, n=n: response(body=b"%d" % n)) for n in range(2)]
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{servers[0].address}', weight: 3}}, '{servers[1].address}']\n")
    client = Client(lb.public)
    bodies = [client.get()[2] for _ in range(8)]
    assert bodies.count(b"0") == 6
    assert bodies[:4].count(b"1") == 1 and bodies[4:].count(b"1") == 1, "smooth: not all of a weight in a row"


def test_a_head_is_written_afresh(start_lb, upstream):
    server = upstream(lambda request: response(fields=[("X-Kept", "yes"), ("Keep-Alive", "timeout=5"),
                                                       ("Connection", "X-Dropped"), ("X-Dropped", "1"), ("Lb-Drain", "0")]))
    lb = lb_for(start_lb, server)
    status, fields, body = ask(lb.public, "/a?b=c", [("X-Own", "1"), ("Connection", "X-Own, keep-alive"),
                                                     ("TE", "trailers"), ("X-Forwarded-For", "6.6.6.6"),
                                                     ("X-Forwarded-Proto", "https"), ("x-lower", " padded ")])
    assert (status, body) == (200, b"ok")
    assert fields["x-kept"] == "yes"
    assert not {"keep-alive", "x-dropped", "lb-drain", "connection"} & set(fields)
    seen = server.requests[-1]
    assert (seen.method, seen.target) == ("GET", "/a?b=c")
    assert seen.get("Host") == "test.example"
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"], "a client that is not trusted does not say where it comes from"
    assert seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Forwarded-Host") == "test.example"
    assert len(seen.get("X-Request-ID")) == 32
    assert seen.get("X-Own") is None and (seen.get("TE"), seen.get("Connection")) == ("trailers", "TE"), "lb's own word"
    assert seen.get("x-lower") == "padded"


def test_a_trusted_proxy_is_believed(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, more="trusted_proxies: [127.0.0.0/8]\n")
    ask(lb.public, "/", [("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-Proto", "https"), ("X-Request-ID", "mine")])
    seen = server.requests[-1]
    assert seen.all("X-Forwarded-For") == ["9.9.9.9, 127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["https"]
    assert seen.all("X-Request-ID") == ["mine"]


def test_bodies_of_every_framing_arrive_whole(start_lb, upstream):
    def answer(request):
        if request.target == "/chunked":
            pieces = [request.body[i:i + 70000] for i in range(0, len(request.body), 70000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        if request.target == "/until-close":
            return lambda connection: (connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + request.body), "close")[1]
        return response(body=request.body)

    server = upstream(answer)
    lb = lb_for(start_lb, server)
    for size in (0, 1, 5000, 65536, 65537, 3_000_000):
        body = os.urandom(size)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 9999]), body[i:i + 9999]) for i in range(0, size, 9999))
        for target in ("/length", "/chunked", "/until-close"):
            for head, sent in ((f"Content-Length: {size}", body), ("Transfer-Encoding: chunked", chunks + b"0\r\n\r\n")):
                client = Client(lb.public)
                client.send(f"POST {target} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")
                sender = threading.Thread(target=client.send, args=(sent,))
                sender.start()
                status, fields, got = client.response()
                sender.join()
                assert status == 200 and got is not None, (size, target, head)
                assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest(), (size, target, head)
                client.close()


def test_head_and_bodiless_statuses_have_no_body(start_lb, upstream):
    def answer(request):
        if request.method == "HEAD":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
        return b"HTTP/1.1 %s X\r\nETag: a\r\n\r\n" % request.target[1:].encode()
    lb = lb_for(start_lb, upstream(answer))
    client = Client(lb.public)
    for _ in range(2):  # the connection goes on after each
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        status, fields, _ = client.response(to_head=True)
        assert (status, fields["content-length"]) == (200, "1234")
        assert client.get("/204")[0] == 204
        assert client.get("/304")[0] == 304


def test_pipelined_requests_are_answered_in_order(start_lb, upstream):
    lb = lb_for(start_lb, upstream(lambda request: response(body=request.target.encode())))
    client = Client(lb.public)
    client.send("".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(50)))
    assert [client.response()[2] for _ in range(50)] == [b"/%d" % n for n in range(50)]


def test_http10_is_spoken(start_lb, upstream):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    lb = lb_for(start_lb, upstream(lambda request: chunked if request.target == "/stream" else response()))
    client = Client(lb.public)
    client.send("GET / HTTP/1.0\r\n\r\n")
    status, fields, body = client.response()
    assert (status, body, fields["connection"]) == (200, b"ok", "close")
    assert client.is_closed()
    client = Client(lb.public)
    for _ in range(2):
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.response()[1]["connection"] == "keep-alive"
    client.send("GET /stream HTTP/1.0\r\n\r\n")
    status, fields, body = client.response()
    assert body == b"hi" and "transfer-encoding" not in fields, "HTTP/1.0 knows no chunks: the end is the close"


def test_a_response_that_is_cut_is_seen_as_cut(start_lb, upstream):
    def cut(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000)
        return "close"
    lb = lb_for(start_lb, upstream(lambda request: cut))
    client = Client(lb.public)
    with pytest.raises((ConnectionResetError, AssertionError)):
        status, fields, body = client.get()
        assert body is not None, "a short body is no whole one"
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="cut") == 1)


def test_a_slow_reader_is_waited_for_within_a_bound(start_lb, upstream):
    body = os.urandom(30_000_000)
    lb = lb_for(start_lb, upstream(lambda request: response(body=body)), more="workers: 1\n")
    before = lb.metric("process_resident_memory_bytes")
    client = Client(lb.public, timeout=30)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_responses_streamed_total") == 1)
    grown = []
    for _ in range(20):  # the server would have sent all of it by now
        time.sleep(0.02)
        grown.append(lb.metric("process_resident_memory_bytes") - before)
    limit = 5_000_000 if "asan" not in os.environ.get("HOLDFAST_BIN", "") else 50_000_000
    assert max(grown) < limit, f"{max(grown)} bytes are held for one slow reader"
    assert client.response()[2] == body


def test_a_client_that_leaves_cancels_its_request(start_lb, upstream):
    release = threading.Event()
    server = upstream(lambda request: lambda connection: release.wait(10) and connection.sendall(response()))
    lb = lb_for(start_lb, server)
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.requests)
    client.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: leaves with a reset
    client.close()
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="client_gone") == 1)
    release.set()
    assert lb.metric("lb_ledger_imbalance") == 0


def test_a_half_closed_client_gets_its_answer(start_lb, upstream):
    lb = lb_for(start_lb, upstream())
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.socket.shutdown(1)
    assert client.response()[0] == 200
    assert client.is_closed()


BAD_REQUESTS = [
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX:\rTransfer-Encoding: chunked\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("GET / HTTP/1.1\nHost: a\n\n", 400),
    ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 20000 + "\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"X{n}: 1\r\n" for n in range(150)) + "\r\n", 431),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n", 413),
]


def test_what_is_not_understood_exactly_is_refused_and_lb_goes_on(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server)
    for request, expected in BAD_REQUESTS:
        for step in (len(request), 1 if len(request) < 300 else 1000):
            client = Client(lb.public)
            try:
                for at in range(0, len(request), step):
                    client.send(request[at:at + step])
            except OSError:
                pass  # refused before it was whole
            status, fields, body = client.response()
            assert (status, fields.get("connection")) == (expected, "close"), (request[:80], step)
            assert client.is_closed()
    assert ask(lb.public)[0] == 200
    assert len(server.requests) == 1, "nothing that was refused reached the server"


def test_a_smuggled_request_does_not_reach_the_server(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server)
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n\rXGET /admin HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.response()[0] == 200
    assert client.response()[0] == 400
    assert [request.target for request in server.requests] == ["/"]


def test_a_bad_chunk_ends_the_request(start_lb, upstream):
    lb = lb_for(start_lb, upstream())
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n")
    assert client.response()[0] == 400
    assert client.is_closed()
    assert ask(lb.public)[0] == 200


def test_a_head_that_dribbles_is_given_up(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_head: 300ms}\n")
    client = Client(lb.public)
    client.send("GET / HT")
    assert client.response()[0] == 408
    assert client.is_closed()


def test_an_idle_client_is_closed(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_idle: 200ms}\n")
    client = Client(lb.public)
    assert client.get()[0] == 200
    assert client.is_closed()


def test_a_body_that_stalls_is_given_up(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_stall: 300ms}\n")
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert client.response()[0] == 408
    assert client.is_closed()
