"""The ledger: metrics, JSON and the last line of the log tell of the same requests, to the last one."""
import json
import re
import socket

import pytest
from system.upstream import Client, ask, eventually, response

OUTCOMES = ("answered", "local_error", "cut", "client_gone", "tunnelled")


def test_metrics_json_and_the_last_line_agree_to_the_last_request(start_lb, upstream):
    seen = []

    def answer(request):
        if request.target == "/cut":
            return lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 70000) or "close"
        if request.target == "/hang":
            return lambda connection: eventually(lambda: connection.recv(1) == b"", 20) and "close"
        seen.append(request.target)
        return None if request.target == "/saved" and seen.count("/saved") == 1 else response()

    server = upstream(answer)
    lb = start_lb(f"upstreams: ['{server.address}']\npassive: {{max_fails: 0}}\n")
    for _ in range(7):
        assert ask(lb.public)[0] == 200
    assert ask(lb.public, "/saved")[0] == 200
    with pytest.raises(ConnectionResetError):
        Client(lb.public).send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").response()
    gone = Client(lb.public).send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_requests_in_flight") == 1)
    told = json.loads(lb.get_admin("/ledger"))
    assert (told["requests"], told["in_flight"], told["imbalance"]) == (10, 1, 0)
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leaves with a reset
    gone.close()
    big = Client(lb.public).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
    assert big.response()[0] == 413
    big.close()
    eventually(lambda: lb.metric("lb_requests_in_flight") == 0)

    told = json.loads(lb.get_admin("/ledger"))
    assert {name: told[name] for name in OUTCOMES} == {"answered": 8, "local_error": 1, "cut": 1, "client_gone": 1, "tunnelled": 0}
    assert told["requests"] == 11 and told["saved_by_retry"] == 1 and told["imbalance"] == 0
    assert told["pools"]["default"]["requests"] == 11 and told["pools"]["unrouted"]["requests"] == 0
    for outcome in OUTCOMES:
        assert lb.metric("lb_request_outcomes_total", outcome=outcome) == told[outcome]
    assert lb.metric("lb_requests_started_total") == 11

    assert lb.stop() == 0
    line = re.search(r'info ledger pool=all what="(.*?)" (.*)', lb.process.log_text())
    assert line.group(1) == told["text"] == "11 requests, 1 cut, 1 local errors, 1 saved by retry"
    assert line.group(2).split() == ["answered=8", "client_gone=1", "tunnelled=0", "in_flight=0", "imbalance=0"]


def test_each_pool_has_its_line_and_what_no_route_takes_has_one(start_lb, upstream):
    one = upstream(lambda request: response())
    lb = start_lb(f"pools:\n  a: {{upstreams: ['{one.address}']}}\n  b: {{upstreams: ['{one.address}']}}\n"
                  "routes: [{path: /a, pool: a}, {path: /b, pool: b}]\n")
    for target, status in (("/a", 200), ("/a", 200), ("/b", 200), ("/c", 404)):
        assert ask(lb.public, target)[0] == status
    lb.stop()
    lines = re.findall(r'info ledger pool=(\w+) what="(\d+) requests, 0 cut, (\d) local', lb.process.log_text())
    assert lines == [("a", "2", "0"), ("b", "1", "0"), ("unrouted", "1", "1"), ("all", "4", "1")]
