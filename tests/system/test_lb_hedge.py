"""A second attempt beside one that is slow: whoever begins to answer first is heard."""
import json
import select
import socket
import threading

import pytest
from stack.ports import free_port
from system.test_lb_config import check
from system.upstream import Client, ask, eventually, response


class Slow:
    """Holds what it is asked until it is told to answer, or nobody waits for it any more."""

    def __init__(self, answer=None):
        self.answer = answer or response(body=b"slow")
        self.go_on = threading.Event()

    def __call__(self, request):
        return self.serve

    def serve(self, connection):
        while not self.go_on.is_set():
            readable, _, _ = select.select([connection], [], [], 0.01)
            if readable and not connection.recv(1, socket.MSG_PEEK):
                return "close"
        connection.sendall(self.answer)
        return None


@pytest.fixture
def slow():
    made = []

    def make(answer=None):
        made.append(Slow(answer))
        return made[-1]
    yield make
    for one in made:
        one.go_on.set()


def hedged(start_lb, *addresses, hedge="after: 20ms, max: 100%", more=""):
    """lb that asks the first server first, and a second one after 20 ms; probes play no part."""
    servers = ", ".join(f"'{address}'" for address in addresses)
    return start_lb(f"workers: 1\nupstreams: [{servers}]\npolicy: first\npassive: {{max_fails: 0}}\n"
                    f"health: {{stall_after: 0}}\nhedge: {{{hedge}}}\n{more}")


def send(lb, method="GET", fields=""):
    client = Client(lb.public)
    client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    return client


def lost(lb, server):
    """Attempts at `server` whose connection it broke."""
    return sum(lb.metric("lb_attempts_total", result=result, upstream=server.address) for result in ("closed", "reset"))


def hedges(lb):
    return lb.metric("lb_hedges_total")


def test_a_second_server_answers_for_one_that_is_slow(start_lb, upstream, slow):
    first, second = upstream(slow()), upstream(lambda request: response(body=b"quick"))
    lb = hedged(start_lb, first.address, second.address)
    for count in (1, 2, 3):
        assert ask(lb.public)[2] == b"quick"
        assert len(first.requests) == len(second.requests) == count, "both were asked, once"
    assert hedges(lb) == lb.metric("lb_hedge_wins_total") == 3
    assert lb.metric("lb_attempts_total", result="outrun", upstream=first.address) == 3
    eventually(lambda: not first.open)  # nobody waits for it any more
    assert lb.metric("lb_upstream_requests_in_flight") == 0
    assert lb.metric("lb_retries_total") == 0 and lb.metric("lb_ledger_imbalance") == 0
    # Or hedge.after, as a quantile, would go by a world without slow answers.
    assert lb.metric("lb_upstream_first_byte_seconds_count", upstream=first.address) == 3


def test_the_first_one_is_heard_where_it_answers_first(start_lb, upstream, slow):
    first_answer, second_answer = slow(), slow()
    first, second = upstream(first_answer), upstream(second_answer)
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb)
    eventually(lambda: second.requests)
    first_answer.go_on.set()
    assert client.response()[2] == b"slow"
    eventually(lambda: not second.open)
    assert hedges(lb) == 1 and lb.metric("lb_hedge_wins_total") == 0
    assert lb.metric("lb_attempts_total", result="outrun", upstream=second.address) == 1
    assert send(lb).response()[2] == b"slow", "and the next request is served like any other"


def test_who_is_quick_enough_is_asked_alone(start_lb, upstream):
    first, second = upstream(), upstream()
    lb = hedged(start_lb, first.address, second.address, hedge="after: 10s, max: 100%")
    for _ in range(20):
        assert ask(lb.public)[0] == 200
    assert not second.requests and hedges(lb) == 0


@pytest.mark.parametrize("method, fields", [("POST", "Content-Length: 0\r\n"), ("PUT", "Content-Length: 0\r\n"),
                                            ("DELETE", ""), ("POST", "Content-Length: 0\r\nIdempotency-Key: k\r\n")])
def test_what_two_servers_must_not_do_at_once_goes_to_one(start_lb, upstream, slow, method, fields):
    answer = slow()
    first, second = upstream(answer), upstream()
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb, method, fields)
    eventually(lambda: first.requests)
    assert ask(lb.public)[2] == b"ok" and hedges(lb) == 1, "a GET that came later was hedged meanwhile"
    assert len(second.requests) == 1
    answer.go_on.set()
    assert client.response()[2] == b"slow"


def test_methods_say_what_may_be_hedged(start_lb, upstream, slow):
    first, second = upstream(slow()), upstream()
    lb = hedged(start_lb, first.address, second.address, hedge="after: 20ms, max: 100%, methods: [PUT]")
    client = Client(lb.public)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert client.response()[2] == b"ok"
    assert [request.body for request in first.requests + second.requests] == [b"hello", b"hello"]


def test_a_body_that_still_comes_is_not_sent_to_a_second_server(start_lb, upstream):
    first, second = upstream(), upstream()
    lb = hedged(start_lb, first.address, second.address, hedge="after: 20ms, max: 100%, methods: [PUT, GET]")
    client = Client(lb.public)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    eventually(lambda: first.connections)
    first.answer, before = Slow(), first.answer
    assert ask(lb.public)[2] == b"ok" and hedges(lb) == 1
    first.answer = before
    client.send("llo")
    assert client.response()[0] == 200
    assert [request.method for request in second.requests] == ["GET"]


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_does_not_win(start_lb, upstream, slow, status):
    answer = slow()
    first, second = upstream(answer), upstream(lambda request: response(status, body=b"failed", reason="Failed"))
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb)
    eventually(lambda: lb.metric("lb_attempts_total", result="status", upstream=second.address) == 1)
    answer.go_on.set()
    assert client.response()[2] == b"slow"


def test_the_hedge_of_an_attempt_that_ends_in_a_failure_counts_as_untried(start_lb, upstream, slow):
    answer = slow(response(503, body=b"failed", reason="Failed"))
    first, second = upstream(answer), upstream(slow())
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb)
    eventually(lambda: second.requests)
    second.answer = lambda request: response(body=b"second")
    answer.go_on.set()
    assert client.response()[2] == b"second"
    assert lb.metric("lb_retries_total", reason="status") == 1


def test_a_retry_is_not_hedged(start_lb, upstream, slow):
    retried = slow(response(body=b"retried"))
    first, second, third = upstream(lambda request: None), upstream(retried), upstream()
    lb = hedged(start_lb, first.address, second.address, third.address)
    client = send(lb)
    eventually(lambda: second.requests)
    first.answer, second.answer = slow(), lambda request: response(body=b"hedge")
    assert send(lb).response()[2] == b"hedge", "a request that came later was hedged meanwhile"
    retried.go_on.set()
    assert client.response()[2] == b"retried" and hedges(lb) == 1 and not third.requests


def test_a_second_server_that_is_not_there_changes_nothing(start_lb, upstream, slow):
    answer = slow()
    first = upstream(answer)
    lb = hedged(start_lb, first.address, f"127.0.0.1:{free_port()}")
    client = send(lb)
    eventually(lambda: lb.metric("lb_attempts_total", result="refused") == 1)
    answer.go_on.set()
    assert client.response()[2] == b"slow"


def test_where_the_first_one_dies_the_second_goes_on(start_lb, upstream, slow):
    second_answer = slow(response(body=b"second"))
    first, second = upstream(slow()), upstream(second_answer)
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb)
    eventually(lambda: second.requests)
    first.die()
    eventually(lambda: lost(lb, first) == 1)
    second_answer.go_on.set()
    assert client.response()[2] == b"second"
    assert len(second.requests) == 1, "it was not asked again"
    assert lb.metric("lb_retry_successes_total") == 1 and lb.metric("lb_hedge_wins_total") == 1


def test_where_both_die_a_third_is_asked(start_lb, upstream, slow):
    first, second, third = upstream(slow()), upstream(slow()), upstream(lambda request: response(body=b"third"))
    lb = hedged(start_lb, first.address, second.address, third.address)
    client = send(lb)
    eventually(lambda: second.requests)
    first.die()
    eventually(lambda: lost(lb, first) == 1)
    second.die()
    assert client.response()[2] == b"third"


def test_a_client_that_leaves_leaves_both(start_lb, upstream, slow):
    first, second = upstream(slow()), upstream(slow())
    lb = hedged(start_lb, first.address, second.address)
    client = send(lb)
    eventually(lambda: second.requests)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leaves with a reset
    client.stream.close()
    client.socket.close()
    eventually(lambda: not first.open and not second.open)
    assert lb.metric("lb_request_outcomes_total", outcome="client_gone") == 1
    assert lb.metric("lb_upstream_requests_in_flight") == 0


def test_no_more_than_hedge_max(start_lb, upstream, slow):
    first, second = upstream(), upstream(lambda request: response(body=b"second"))
    lb = hedged(start_lb, first.address, second.address, hedge="after: 50ms, max: 5%")

    def wanted():
        return hedges(lb) + lb.metric("lb_hedges_withheld_total")
    for _ in range(100):
        assert ask(lb.public)[0] == 200
    before, made, won = wanted(), hedges(lb), lb.metric("lb_hedge_wins_total")  # on a busy machine some of those were hedged
    stuck = slow()
    first.answer = stuck
    clients = [send(lb) for _ in range(20)]
    eventually(lambda: wanted() == before + 20)
    assert 5 <= hedges(lb) <= 6  # of 120 requests
    eventually(lambda: lb.metric("lb_hedge_wins_total") - won == hedges(lb) - made)  # before the first server may answer
    stuck.go_on.set()
    answers = [client.response()[2] for client in clients]
    assert answers.count(b"second") == hedges(lb) - made and answers.count(b"slow") == 20 - answers.count(b"second")


def test_a_quantile_of_what_was_seen_says_when(start_lb, upstream, slow):
    first, second = upstream(), upstream(lambda request: response(body=b"second"))
    lb = hedged(start_lb, first.address, second.address, hedge="after: p95, max: 100%")
    stuck = slow()
    first.answer = stuck
    client = send(lb)  # nothing is known yet
    eventually(lambda: first.requests)
    first.answer = lambda request: response()
    for _ in range(30):
        assert ask(lb.public)[0] == 200
    eventually(lambda: ask(lb.public)[0] == 200 and hedges_after_known(lb, first, slow))
    stuck.go_on.set()
    assert client.response()[2] == b"slow"


def hedges_after_known(lb, first, slow):
    """True where a request that the first server does not answer is answered by the second."""
    first.answer, before = slow(), first.answer
    client = send(lb)
    client.socket.settimeout(0.2)
    try:
        return client.response()[2] == b"second"
    except OSError:
        return False
    finally:
        first.answer = before


def test_the_access_log_tells_both(start_lb, upstream, slow, tmp_path):
    log = tmp_path / "access.log"
    first, second = upstream(slow()), upstream()
    lb = hedged(start_lb, first.address, second.address, more=f"log: {{access: '{log}'}}\n")
    assert ask(lb.public)[0] == 200
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    entry = json.loads(log.read_text())
    assert [(one["server"], one["result"], one.get("hedge", False)) for one in entry["attempts"]] == [
        (first.address, "outrun", False), (second.address, "ok", True)]
    assert entry["first_byte_ms"] == entry["attempts"][1]["first_byte_ms"]


@pytest.mark.parametrize("hedge, what", [("after: p20", "p50 to p99.9"), ("after: 0s", "1ms to 60s"), ("after: soon", "off, a duration"),
                                         ("methods: [POST]", "not an idempotent method"), ("max: 200%", "max")])
def test_what_cannot_be_is_refused(tmp_path, hedge, what):
    code, _, output = check(tmp_path, f"listen: 127.0.0.1:1\nupstreams: ['127.0.0.1:2']\nhedge: {{{hedge}}}\n")
    assert code == 1 and what in output and "hedge." in output
