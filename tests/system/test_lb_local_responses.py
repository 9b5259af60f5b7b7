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
]


def check_problem(status, fields, body, error):
    problem = json.loads(body)
    assert fields["content-type"] == "application/problem+json"
    assert problem["type"] == "about:blank" and problem["status"] == status and problem["title"] and problem["detail"]
    assert problem["instance"] == fields["x-request-id"]
    assert fields["proxy-status"] == f"lb; error={error}"
    assert fields["cache-control"] == "no-store" and fields["date"]


@pytest.mark.parametrize("request_bytes, expected", REFUSED, ids=[str(status) for _, status in REFUSED])
def test_a_bad_request_is_told_why(start_lb, upstream, request_bytes, expected):
    lb = start_lb(f"upstreams: [{upstream().address}]\n")
    client = Client(lb.public)
    client.send(request_bytes)
    status, fields, body = client.response()
    assert status == expected
    check_problem(status, fields, body, "http_request_error")


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
