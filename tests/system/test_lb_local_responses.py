"""What lb answers by itself: the status, a problem in JSON or a text, RFC 9209's reason, nothing of the inside."""
import json

import pytest
from stack.ports import free_port
from system.upstream import Client, ask, response

REFUSED = [
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 20000 + "\r\n\r\n", 431),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n", 413),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 0\r\n\r\n", 417),
]
PHRASES = {400: "Bad Request", 408: "Request Timeout", 413: "Content Too Large", 414: "URI Too Long", 417: "Expectation Failed", 429: "Too Many Requests",
           431: "Request Header Fields Too Large", 501: "Not Implemented", 505: "HTTP Version Not Supported"}


def check_problem(status, fields, body, error):
    problem = json.loads(body)
    assert fields["content-type"] == "application/problem+json"
    assert problem["type"] == "about:blank" and problem["status"] == status and problem["title"] and problem["detail"]
    assert problem["instance"] == fields["x-request-id"]
    assert fields["proxy-status"] == f"lb; error={error}"
    assert fields["cache-control"] == "no-store" and fields["date"]


@pytest.mark.parametrize("request_bytes, expected", REFUSED, ids=[f"{status}, {text.split()[0]}" for text, status in REFUSED])
def test_a_bad_request_is_told_why(start_lb, upstream, request_bytes, expected):
    lb = start_lb(f"upstreams: [{upstream().address}]\n")
    client = Client(lb.public)
    client.send(request_bytes)
    status, fields, body = client.response()
    assert status == expected
    check_problem(status, fields, body, "http_request_error")
    assert json.loads(body)["title"] == PHRASES[status]
    assert fields["connection"] == "close" and client.is_closed()


@pytest.mark.parametrize("sent, timeout", [
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b", "client_head"),
    ("GET / HT", "client_head"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "client_stall"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "client_stall"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: b", "client_stall"),
], ids=["in a field", "in the request line", "in a body", "between chunks", "in a trailer"])
def test_a_request_that_does_not_arrive_is_told_so(start_lb, upstream, sent, timeout):
    server = upstream()
    lb = start_lb(f"upstreams: [{server.address}]\ntimeouts: {{{timeout}: 300ms}}\n")
    client = Client(lb.public)
    client.send(sent)
    status, fields, body = client.response()
    assert status == 408
    check_problem(status, fields, body, "http_request_error")
    problem = json.loads(body)
    assert problem["title"] == PHRASES[408] and problem["detail"] == "The request took too long to arrive."
    assert len(body) == int(fields["content-length"]) and fields["connection"] == "close"
    assert client.is_closed(), "nothing behind the answer: where the next request would begin is not known"
    assert all(request.body == b"abc" for request in server.requests), "no more than came; this server takes a cut body"


def test_a_late_body_is_told_of_in_words_to_who_reads_words(start_lb, upstream):
    lb = start_lb(f"upstreams: [{upstream().address}]\ntimeouts: {{client_stall: 300ms}}\n")
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nContent-Length: 10\r\n\r\nabc")
    status, fields, body = client.response()
    assert status == 408 and fields["content-type"].startswith("text/plain")
    assert body == b"The request took too long to arrive.\n"
    assert client.is_closed()


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/2.0", "HTTP/9.9"])
def test_another_version_is_refused_in_ours(start_lb, upstream, version):
    server = upstream()
    lb = start_lb(f"upstreams: [{server.address}]\n")
    client = Client(lb.public)
    client.send(f"GET / {version}\r\nHost: a\r\n\r\n")
    assert client.stream.readline() == b"HTTP/1.1 505 HTTP Version Not Supported\r\n"
    fields, body = client.stream.read().split(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in fields and b"Content-Length: %d\r\n" % len(body) in fields
    problem = json.loads(body)
    assert problem["status"] == 505 and problem["detail"] == "an HTTP version other than 1.0 and 1.1"
    assert server.requests == []


def test_an_address_with_too_many_connections_is_told_so(start_lb, upstream):
    lb = start_lb(f"upstreams: [{upstream().address}]\nlimits: {{connections_per_client: 1}}\n")
    first = Client(lb.public)
    assert first.get()[0] == 200
    second = Client(lb.public)
    status, fields, body = second.response()
    assert status == 429 and fields["retry-after"] == "1"
    check_problem(status, fields, body, "http_request_error")
    assert json.loads(body)["title"] == PHRASES[429] and second.is_closed()


def test_a_dead_server_is_no_detail_of_the_answer(start_lb):
    port = free_port()
    lb = start_lb(f"pools: {{secretpool: {{upstreams: [{{address: '127.0.0.1:{port}', name: secretserver}}], "
                  "retry: {deadline: 200ms}}}\n")
    client = Client(lb.public)
    status, fields, body = client.get()
    assert status in (502, 503)
    check_problem(status, fields, body, "connection_refused" if status == 502 else "destination_unavailable")
    assert fields["retry-after"] == "1"
    told = (repr(fields) + body.decode()).lower()
    assert "secret" not in told and str(port) not in told
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields, body = client.response(to_head=True)
    assert status in (502, 503) and int(fields["content-length"]) > 0
    status, fields, body = client.get(fields=[("Accept", "text/html, */*;q=0.1")])
    assert fields["content-type"].startswith("text/plain") and body.endswith(b".\n"), "the HEAD had no body"


def test_a_bad_answer_is_502_and_a_slow_one_504(start_lb, upstream):
    bad = upstream(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
    slow = upstream(lambda request: lambda connection: None)
    for server, expected, error in ((bad, 502, "http_protocol_error"), (slow, 504, "http_response_timeout")):
        lb = start_lb(f"upstreams: [{server.address}]\nretry: {{deadline: 100ms}}\ntimeouts: {{first_byte: 300ms}}\n")
        client = Client(lb.public)
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        status, fields, body = client.response()
        assert status == expected
        check_problem(status, fields, body, error)


def test_the_request_id_is_the_servers_the_clients_and_the_answers(start_lb, upstream):
    server = upstream(lambda request: response(fields=[("X-Request-ID", "own")] if request.target == "/own" else []))
    lb = start_lb(f"upstreams: [{server.address}]\n")
    fields = ask(lb.public)[1]
    assert len(fields["x-request-id"]) == 32 and fields["x-request-id"] == server.requests[-1].get("X-Request-ID")
    assert fields["date"], "added where the server says none"
    assert ask(lb.public, "/own")[1]["x-request-id"] == "own"
    assert server.requests[-1].all("Via") == ["1.1 lb"]
