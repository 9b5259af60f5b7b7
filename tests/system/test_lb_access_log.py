"""The access log: one line for every request, however it ended, and none of them at the cost of a request."""
import datetime
import json
import os
import re
import signal
import socket
import threading

import pytest
from system.upstream import Client, ask, eventually, response

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def log_file(tmp_path):
    return str(tmp_path / "access.log")


@pytest.fixture
def lb_logging(start_lb, log_file):
    """lb_logging(*servers, more=yaml, form=json): lb with an access log in `log_file`."""
    def start(*servers, more="", form="json", to=None):
        names = ", ".join(f"{{address: '{server.address}', name: s{i + 1}}}" for i, server in enumerate(servers))
        return start_lb(f"log: {{access: '{to or log_file}', access_format: {form}}}\nupstreams: [{names}]\n{more}")
    return start


def lines(path):
    with open(path, encoding="utf-8") as text:
        return text.read().splitlines()


def entries(path, count):
    """The first `count` lines, once they are there; no more may come with them."""
    eventually(lambda: os.path.exists(path) and len(lines(path)) >= count)
    assert len(lines(path)) == count
    return [json.loads(line) for line in lines(path)]


def test_a_line_tells_the_request_its_times_and_its_attempts(lb_logging, log_file, upstream):
    lb = lb_logging(upstream(lambda request: response(302, body=b"there", reason="Found")))
    client = Client(lb.public)
    request = "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nUser-Agent: te\"st\r\nReferer: http://r.example/\r\n\r\n"
    client.send(request)
    status, fields, body = client.response()
    assert status == 302
    entry, = entries(log_file, 1)
    at = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) < 60
    wanted = {"client": "127.0.0.1", "method": "GET", "host": "example.com", "path": "/a/b", "query": "c=d", "version": "1.1",
              "status": 302, "outcome": "answered", "pool": "default", "user_agent": 'te"st', "referer": "http://r.example/",
              "bytes_in": len(request), "request_id": fields["x-request-id"]}
    assert {name: entry.get(name) for name in wanted} == wanted
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    assert entry["bytes_out"] == len("HTTP/1.1 302 Found\r\n\r\n") + len(head) + len(body)
    attempt, = entry["attempts"]
    assert attempt["server"] == "s1" and attempt["result"] == "ok"
    assert 0 < attempt["connect_ms"] <= attempt["first_byte_ms"] <= attempt["ms"] <= entry["duration_ms"]
    assert entry["connect_ms"] == attempt["connect_ms"] and entry["first_byte_ms"] == attempt["first_byte_ms"]
    assert "reason" not in entry and "peer" not in entry

    assert client.get()[0] == 302
    assert "connect_ms" not in entries(log_file, 2)[1], "its connection was there already"


def test_every_attempt_is_told(lb_logging, log_file, upstream):
    dying = upstream(lambda request: None)
    lb = lb_logging(dying, upstream(), more="passive: {max_fails: 0}\nlb_policy: first\n")
    assert ask(lb.public)[0] == 200
    entry, = entries(log_file, 1)
    assert [(one["server"], one["result"]) for one in entry["attempts"]] == [("s1", "closed"), ("s2", "ok")]
    assert entry["outcome"] == "answered" and entry["status"] == 200


def test_an_answer_of_lbs_own_has_its_reason(lb_logging, log_file, upstream):
    server = upstream()
    server.die()
    lb = lb_logging(server, more="lb_try_duration: 0s\nlimits: {request_body: 10}\n")
    assert ask(lb.public)[0] in (502, 503)
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
    assert client.response()[0] == 413
    large, unreachable = sorted(entries(log_file, 2), key=lambda entry: entry["status"])
    assert unreachable["outcome"] == "local_error" and unreachable["status"] in (502, 503)
    assert unreachable["reason"] in ("connection_refused", "destination_unavailable")
    assert large["status"] == 413 and large["reason"] == "http_request_too_large"


@pytest.mark.parametrize("sent, status, reason", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20), 400, "bad_request"),
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "head_too_large"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431, "head_too_large"),
    (b"GET / HTTP/2.5\r\nHost: a\r\n\r\n", 505, "unsupported"),
], ids=["two hosts", "tls", "long target", "long head", "version"])
def test_what_is_refused_has_a_line(lb_logging, log_file, upstream, sent, status, reason):
    lb = lb_logging(upstream())
    client = Client(lb.public)
    client.send(sent)
    assert client.response()[0] == status
    entry, = entries(log_file, 1)
    assert entry["outcome"] == "refused" and entry["status"] == status and entry["reason"] == reason
    assert entry["why"] and entry["request_id"] and entry["bytes_out"] > 0


def test_a_body_that_breaks_its_framing_has_one_line(lb_logging, log_file, upstream):
    lb = lb_logging(upstream())
    client = Client(lb.public)
    client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert client.response()[0] == 400
    entry, = entries(log_file, 1)
    assert entry["status"] == 400 and entry["reason"] == "bad_request" and entry["path"] == "/x"


def test_a_head_that_comes_too_slowly_or_never_ends_has_a_line(lb_logging, log_file, upstream):
    lb = lb_logging(upstream(), more="timeouts: {client_head: 300ms}\n")
    slow = Client(lb.public)
    slow.send(b"GET / HTTP/1.1\r\n")
    assert slow.response()[0] == 408
    gone = Client(lb.public)
    gone.send(b"GET / HTTP/1.1\r\n")
    eventually(lambda: lb.metric("lb_listener_connections") == 2)
    gone.close()
    slow, half = sorted(entries(log_file, 2), key=lambda entry: entry["status"])  # of two workers, in any order
    assert (slow["status"], slow["reason"], slow["outcome"]) == (408, "head_timeout", "refused")
    assert (half["status"], half["reason"], half["outcome"]) == (499, "head_incomplete", "client_gone")


def test_a_connection_without_a_request_has_none(lb_logging, log_file, upstream):
    lb = lb_logging(upstream())
    Client(lb.public).close()
    assert ask(lb.public)[0] == 200
    assert entries(log_file, 1)[0]["status"] == 200


def test_a_client_that_leaves_has_a_line(lb_logging, log_file, upstream):
    waiting = threading.Event()
    lb = lb_logging(upstream(lambda request: lambda connection: waiting.wait(20) and None))
    client = Client(lb.public)
    client.send(GET)
    eventually(lambda: lb.metric("lb_requests_in_flight") == 1)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    entry, = entries(log_file, 1)
    waiting.set()
    assert (entry["status"], entry["outcome"]) == (499, "client_gone")
    assert entry["attempts"][0]["result"] == "cancelled"


def test_a_response_cut_short_has_a_line(lb_logging, log_file, upstream):
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000
    lb = lb_logging(upstream(lambda request: lambda connection: connection.sendall(cut) or "close"))
    client = Client(lb.public)
    client.send(GET)
    with pytest.raises(Exception):
        status, _, body = client.response()
        assert len(body) == 1_000_000
    entry, = entries(log_file, 1)
    assert (entry["status"], entry["outcome"]) == (200, "cut")
    assert entry["reason"] in ("closed", "reset") and entry["attempts"][0]["result"] == entry["reason"]


def test_a_tunnel_has_a_line_at_its_end_with_its_bytes(lb_logging, log_file, upstream):
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    def serve(connection):
        connection.sendall(head)
        while connection.recv(65536):
            pass
        connection.sendall(b"y" * 3000)
        return "close"
    lb = lb_logging(upstream(lambda request: serve))
    client = Client(lb.public)
    asked = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    client.send(asked)
    while client.stream.readline() != b"\r\n":
        pass
    client.send(b"x" * 5000)
    client.socket.shutdown(socket.SHUT_WR)
    assert len(client.stream.read()) == 3000
    entry, = entries(log_file, 1)
    assert (entry["status"], entry["outcome"], entry["path"]) == (101, "tunnelled", "/chat")
    assert entry["bytes_in"] == len(asked) + 5000 and entry["bytes_out"] > 3000


def test_who_asks_through_a_trusted_proxy_is_the_client(lb_logging, log_file, upstream):
    lb = lb_logging(upstream(), more="trusted_proxies: [127.0.0.1]\n")
    assert ask(lb.public, fields=[("X-Forwarded-For", "203.0.113.7, 198.51.100.2")])[0] == 200
    entry, = entries(log_file, 1)
    assert (entry["client"], entry["peer"]) == ("198.51.100.2", "127.0.0.1")


@pytest.mark.parametrize("chain, client", [
    (["6.6.6.6, 203.0.113.7, 127.0.0.2"], "203.0.113.7"),
    (["6.6.6.6", "203.0.113.7", "127.0.0.3, 127.0.0.2"], "203.0.113.7"),
    (["203.0.113.7:4711, 127.0.0.2:80"], "203.0.113.7"),
    (["[2001:DB8::7]:4711"], "2001:db8::7"),
    (["::ffff:203.0.113.7, ::ffff:127.0.0.2"], "203.0.113.7"),
    (["127.0.0.3, 127.0.0.2"], "127.0.0.3"),
    (["6.6.6.6, unknown, 127.0.0.2"], "127.0.0.2"),
    (["unknown"], "127.0.0.1"),
    (["6.6.6.6, a.example"], "127.0.0.1"),
])
def test_the_client_is_the_last_address_that_is_no_trusted_proxy_s(lb_logging, log_file, upstream, chain, client):
    lb = lb_logging(upstream(), more="trusted_proxies: [127.0.0.0/8]\n")
    assert ask(lb.public, fields=[("X-Forwarded-For", value) for value in chain])[0] == 200
    entry, = entries(log_file, 1)
    assert (entry["client"], entry.get("peer", "127.0.0.1")) == (client, "127.0.0.1")


def test_who_is_not_trusted_makes_nothing_believe(lb_logging, log_file, upstream):
    lb = lb_logging(upstream())
    assert ask(lb.public, fields=[("X-Forwarded-For", "203.0.113.7")])[0] == 200
    assert entries(log_file, 1)[0]["client"] == "127.0.0.1"


def test_the_combined_format(lb_logging, log_file, upstream):
    lb = lb_logging(upstream(), form="combined")
    client = Client(lb.public)
    client.send('GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: a "b"\r\n\r\n')
    assert client.response()[0] == 200
    eventually(lambda: lines(log_file))
    line, = lines(log_file)
    assert re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /a\?b=c HTTP/1\.1" 200 \d+ "-" '
                        r'"a \\"b\\""', line), line


def test_to_stdout(lb_logging, upstream):
    lb = lb_logging(upstream(), to="stdout")
    assert ask(lb.public)[0] == 200
    eventually(lambda: '{"time":"' in lb.process.log_text())


def test_sigusr1_begins_a_new_file_and_loses_no_line(lb_logging, log_file, upstream):
    lb = lb_logging(upstream())
    client = Client(lb.public)
    total = 0
    for number in range(5):
        for _ in range(20):
            assert client.get()[0] == 200
            total += 1
        os.rename(log_file, f"{log_file}.{number}")
        os.kill(lb.process.pid, signal.SIGUSR1)
        eventually(lambda: os.path.exists(log_file))
    parts = [f"{log_file}.{number}" for number in range(5)] + [log_file]
    eventually(lambda: sum(len(lines(part)) for part in parts) == total)
    assert len({json.loads(line)["request_id"] for part in parts for line in lines(part)}) == total


def test_sigusr1_without_an_access_log_ends_nothing(start_lb, upstream):
    lb = start_lb(f"upstreams: ['{upstream().address}']\n")
    os.kill(lb.process.pid, signal.SIGUSR1)
    eventually(lambda: "signal name=SIGUSR1" in lb.process.log_text())
    assert ask(lb.public)[0] == 200


def test_a_reader_that_stands_still_holds_up_no_request(lb_logging, tmp_path, upstream):
    fifo = str(tmp_path / "pipe")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    lb = lb_logging(upstream(), to=fifo, more="workers: 1\n")
    client = Client(lb.public)
    count = 0
    agent = "x" * 500
    while lb.metric("lb_access_log_dropped_total", reason="full") == 0:
        for _ in range(200):
            client.send(f"GET /{'a' * 1500} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n")
            assert client.response()[0] == 200
            count += 1
        assert count < 10_000
    taken = lb.metric("lb_access_log_lines_total")
    assert taken + lb.metric("lb_access_log_dropped_total", reason="full") == count
    seen = b""

    def read():
        nonlocal seen
        try:
            seen += os.read(reader, 1 << 20)
        except BlockingIOError:
            pass
        return seen.count(b"\n") == taken
    eventually(read)
    assert all(json.loads(line)["status"] == 200 for line in seen.splitlines()), "no line is torn"
    os.close(reader)
    assert client.get()[0] == 200, "nor does a reader that is gone"
    eventually(lambda: lb.metric("lb_access_log_dropped_total", reason="unwritten") == 1)


def test_what_is_left_is_written_at_the_end(lb_logging, log_file, upstream):
    lb = lb_logging(upstream())
    client = Client(lb.public)
    for _ in range(100):
        assert client.get()[0] == 200
    assert lb.stop() == 0
    assert len(lines(log_file)) == 100


@pytest.mark.parametrize("to, why", [("/nowhere/access.log", "there is no such folder"), ("/", "it is a folder")])
def test_a_file_that_cannot_be_written_is_said_at_the_start(lb_logging, upstream, to, why):
    from stack.process import Failed
    with pytest.raises(Failed) as failed:
        lb_logging(upstream(), to=to)
    assert why in str(failed.value) and "log.access" in str(failed.value)


def test_lines_and_the_ledger_agree_under_load(lb_logging, log_file, upstream):
    """Several workers, clients that come and go: as many lines as requests."""
    lb = lb_logging(upstream(), more="workers: 2\n")

    def load():
        for _ in range(10):
            client = Client(lb.public)
            for _ in range(10):
                client.get()
            client.close()
    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = entries(log_file, 800)
    assert len({entry["request_id"] for entry in found}) == 800
    assert lb.metric("lb_requests_started_total") == 800
    assert lb.metric("lb_access_log_lines_total") == 800 and lb.metric("lb_access_log_dropped_total") == 0
