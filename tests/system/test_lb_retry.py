"""What happens when a server fails: the table of docs/retry.md, seen from outside. Deaths, point by point: test_lb_deaths."""
import threading
import time

import pytest
from stack.ports import free_port
from stack.process import Failed
from system.upstream import Client, Upstream, ask, eventually, response


def two(start_lb, bad, good, more=""):
    """lb in front of a bad server and a good one, without probes, so that only traffic decides."""
    return start_lb(f"workers: 1\nupstreams: ['{bad}', '{good.address}']\npassive: {{max_fails: 0}}\n{more}")


def post(port, body=b"x", fields=""):
    client = Client(port)
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body)
    return client.response()


def test_a_refused_connection_is_tried_elsewhere_whatever_the_method(start_lb, upstream):
    good = upstream()
    lb = two(start_lb, f"127.0.0.1:{free_port()}", good)
    for _ in range(4):
        assert ask(lb.public)[0] == 200
        assert post(lb.public)[0] == 200
    assert lb.metric("lb_retries_total", reason="refused") >= 4
    assert lb.metric("lb_request_outcomes_total", outcome="local_error") == 0


def dies_before_an_answer(connection):
    return "close"


def test_a_body_over_the_replay_buffer_is_not_repeated(start_lb, upstream):
    bad, good = upstream(lambda request: dies_before_an_answer), upstream()
    lb = two(start_lb, bad.address, good, "retry: {body_buffer: 1KiB}\n")
    statuses = [post(lb.public, b"x" * 300_000, "Idempotency-Key: k\r\n")[0] for _ in range(4)]
    assert sorted(statuses) == [200, 200, 502, 502], statuses


def test_a_large_body_survives_a_refused_connection(start_lb, upstream):
    good = upstream(lambda request: response(body=b"%d" % len(request.body)))
    lb = two(start_lb, f"127.0.0.1:{free_port()}", good)
    for _ in range(4):
        assert post(lb.public, b"x" * 1_000_000)[2] == b"1000000"


def test_a_streamed_response_is_cut_and_not_repeated(start_lb, upstream):
    def dies_late(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 400000)
        return "close"
    bad = upstream(lambda request: dies_late)
    lb = start_lb(f"upstreams: ['{bad.address}']\npassive: {{max_fails: 0}}\n")
    with pytest.raises((ConnectionResetError, AssertionError)):
        assert ask(lb.public)[2] is not None
    assert len(bad.requests) == 1
    eventually(lambda: lb.metric("lb_request_outcomes_total", outcome="cut") == 1)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_status_of_retry_statuses_is_tried_elsewhere(start_lb, upstream, status):
    bad, good = upstream(lambda request: response(status)), upstream()
    lb = two(start_lb, bad.address, good)
    assert [ask(lb.public)[0] for _ in range(4)] == [200] * 4
    assert bad.requests


def test_retry_after_is_the_servers_last_word(start_lb, upstream):
    deliberate = upstream(lambda request: response(503, b"later", [("Retry-After", "5")]))
    lb = two(start_lb, deliberate.address, upstream())
    answers = [ask(lb.public) for _ in range(4)]
    assert sorted(answer[0] for answer in answers) == [200, 200, 503, 503]
    assert all(answer[1]["retry-after"] == "5" for answer in answers if answer[0] == 503)


def test_when_every_server_says_so_its_answer_is_passed_on_whole(start_lb, upstream):
    servers = [upstream(lambda request: response(503, b"out of order", [("X-Mine", "1")])) for _ in range(2)]
    lb = two(start_lb, servers[0].address, servers[1])
    status, fields, body = ask(lb.public)
    assert (status, fields["x-mine"], body) == (503, "1", b"out of order")
    assert [len(server.requests) for server in servers] == [1, 1], "each was asked once"


def test_a_saved_answer_is_better_than_none(start_lb, upstream):
    lb = two(start_lb, f"127.0.0.1:{free_port()}", upstream(lambda request: response(503, b"mine")),
             "retry: {deadline: 300ms}\n")
    assert [ask(lb.public)[2] for _ in range(4)] == [b"mine"] * 4


def test_a_server_that_hangs_is_left_at_first_byte(start_lb, upstream):
    hung, good = upstream(lambda request: lambda connection: time.sleep(20)), upstream()
    lb = two(start_lb, hung.address, good, "timeouts: {first_byte: 200ms}\n")
    assert [ask(lb.public)[0] for _ in range(4)] == [200] * 4
    assert lb.metric("lb_attempts_total", result="first_byte_timeout") >= 2


def test_a_response_that_stands_still_is_tried_elsewhere_while_held(start_lb, upstream):
    def stands_still(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        time.sleep(20)
    hung, good = upstream(lambda request: stands_still), upstream(lambda request: response(body=b"good"))
    lb = two(start_lb, hung.address, good, "timeouts: {idle: 200ms}\n")
    assert [ask(lb.public)[2] for _ in range(4)] == [b"good"] * 4


def test_a_chunked_response_is_held_for_a_moment_and_then_streamed(start_lb, upstream):
    go_on = threading.Event()

    def slow(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        go_on.wait(10)
        connection.sendall(b"2\r\ncd\r\n0\r\n\r\n")
    lb = start_lb(f"upstreams: ['{upstream(lambda request: slow).address}']\n")
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    line = client.stream.readline()  # comes though the response is not complete
    assert line.startswith(b"HTTP/1.1 200")
    go_on.set()
    assert b"cd" in b"".join(client.stream.readline() for _ in range(8))


def test_an_event_stream_is_not_held(start_lb, upstream):
    never = threading.Event()

    def stream(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        never.wait(20)
    lb = start_lb(f"upstreams: ['{upstream(lambda request: stream).address}']\nresponse: {{hold: 10s}}\n")
    client = Client(lb.public)
    client.socket.settimeout(9)  # less than the hold
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"hello\r\n" in iter(client.stream.readline, b"")
    never.set()


def test_without_any_server_requests_wait_for_the_first_one_back(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"upstreams: ['{server.address}']\nhealth: {{uri: /health, interval: 100ms}}\nretry: {{deadline: 8s}}\n")
    assert ask(lb.public)[0] == 200
    server.die()
    answers = []
    clients = [threading.Thread(target=lambda: answers.append(ask(lb.public)[0])) for _ in range(20)]
    for client in clients:
        client.start()
    eventually(lambda: lb.metric("lb_queue_length") == 20)
    assert not answers
    server.listen()
    for client in clients:
        client.join()
    assert answers == [200] * 20
    assert lb.metric("lb_queue_length") == 0


def test_at_the_deadline_the_answer_is_503_with_retry_after(start_lb, upstream):
    lb = start_lb(f"upstreams: ['127.0.0.1:{free_port()}']\nretry: {{deadline: 300ms}}\n")
    began = time.monotonic()
    status, fields, body = ask(lb.public)
    assert status in (502, 503) and fields["retry-after"] == "1"
    assert time.monotonic() - began >= 0.25
    assert ask(lb.public)[0] in (502, 503), "lb goes on"
    assert lb.metric("lb_local_errors_total") == 2


def test_a_full_queue_turns_away_at_once(start_lb, upstream):
    server = Upstream()
    server.die()
    lb = start_lb(f"workers: 1\nupstreams: ['{server.address}']\nhealth: {{uri: /health}}\nqueue: {{size: 2}}\n"
                  "retry: {deadline: 3s}\n")
    statuses = []
    clients = [threading.Thread(target=lambda: statuses.append(ask(lb.public)[0])) for _ in range(5)]
    for client in clients:
        client.start()
    eventually(lambda: lb.metric("lb_local_errors_total", reason="queue_full") >= 3)
    for client in clients:
        client.join()
    assert set(statuses) <= {502, 503} and len(statuses) == 5


def test_a_kept_connection_that_the_server_closed_is_nobodys_failure(start_lb, upstream):
    def closes_soon(request):
        def answer(connection):
            connection.sendall(response())
            return "close"
        return answer
    servers = [upstream(closes_soon) for _ in range(2)]
    lb = start_lb(f"workers: 1\nupstreams: ['{servers[0].address}', '{servers[1].address}']\nhealth: {{uri: /health}}\n")
    client = Client(lb.public)
    for _ in range(300):
        assert client.get()[0] == 200
    assert set(lb.states().values()) == {"healthy"}


KEYED = ("upstreams: [{}]\nhealth: {{uri: /health}}\nretry: {{assign_idempotency_key: true, "
         "idempotency_probe: {{uri: /links, body: '{{\"url\": \"a\"}}', headers: {{X-Api-Key: s3cret}}}}}}\n")


def test_keys_are_not_assigned_where_the_probe_shows_that_servers_ignore_them(start_lb, upstream):
    made = []

    def create(request):
        made.append(request)
        return response(201, str(len(made)).encode())
    one, two = upstream(create), upstream(create)
    with pytest.raises(Failed):
        start_lb(KEYED.format(f"'{one.address}', '{two.address}'"))
    assert [len(server.requests) for server in (one, two)] == [1, 1], "the repetition goes to another server"
    first, second = made
    assert first.method == "POST" and first.target == "/links" and first.body == b'{"url": "a"}'
    assert first.get("X-Api-Key") == "s3cret" and first.get("Content-Type") == "application/json"
    assert first.get("Idempotency-Key") == second.get("Idempotency-Key") is not None


def test_keys_are_assigned_where_the_second_answer_is_the_first(start_lb, upstream):
    by_key = {}
    server = upstream(lambda request: response(201, by_key.setdefault(request.get("Idempotency-Key"), str(len(by_key))).encode()))
    lb = start_lb(KEYED.format(f"'{server.address}'"))
    assert "keys are honoured" in lb.process.log_text() and len(server.requests) == 2
    client = Client(lb.public).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert client.response()[0] == 201
    assert "s3cret" not in lb.get_admin("/config")


def test_the_reason_why_keys_are_not_assigned_is_told(start_lb, upstream):
    with pytest.raises(Failed, match="the probe was answered 401: so nothing was executed"):
        start_lb(KEYED.format(f"'{upstream(lambda request: response(401)).address}'"))


def test_lb_starts_where_nobody_can_be_asked_about_keys(start_lb, upstream):
    dead = upstream()
    dead.die()
    lb = start_lb(KEYED.format(f"'{dead.address}'"))
    assert "nobody could be asked about keys" in lb.process.log_text()
