"""The end: exit code 0 whatever is under way, a response or an orderly close for clients of the admin port, no waiting for DNS."""
import contextlib
import os
import re
import signal
import threading

import pytest
from system.test_lb_admin import change
from system.test_lb_reload import held
from system.upstream import Client, ask, eventually, response


def last_ledger(lb):
    return lb.ledgers()[-1]


def test_a_worker_that_has_nothing_to_do_may_end_long_before_the_other(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\nshutdown: {{grace: 300ms}}\n")
    idle = Client(lb.public, 20)
    assert idle.get()[0] == 200
    old = lb.upgrade()
    assert old.wait(20) == 0
    assert "info stopped" in old.log_text()
    assert ask(lb.public)[0] == 200


def test_sigterm_ends_a_process_that_has_handed_over(start_lb, upstream):
    lb = start_lb(f"workers: 2\nupstreams: ['{upstream().address}']\nshutdown: {{grace: 1h}}\n")
    idle = Client(lb.public, 20)
    idle.get()
    old = lb.upgrade()
    old.send_signal(signal.SIGTERM)
    assert old.wait(20) == 0 and idle.is_closed()


@pytest.mark.parametrize("path", ["/debug/exchanges", "/requests", "/upstreams", "/metrics", "/ledger", "/config", "/healthz"])
def test_the_admin_port_responds_while_one_worker_drains_and_the_other_has_ended(start_lb, upstream, path):
    release = []
    server = upstream(held(release))
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\n")
    client = Client(lb.public, 20)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.requests)
    admin = Client(lb.admin, 20)
    threads = len(os.listdir(f"/proc/{lb.process.pid}/task"))
    lb.process.send_signal(signal.SIGTERM)
    eventually(lambda: len(os.listdir(f"/proc/{lb.process.pid}/task")) == threads - 1)  # one of the two workers has ended
    status, _, body = admin.get(path, host=f"127.0.0.1:{lb.admin}")
    assert status == 200
    if path == "/debug/exchanges":
        assert re.match(rb"exchange GET /held phase=Waiting", body), body
    release.append(True)
    assert client.response()[2] == b"held"
    assert lb.process.wait(20) == 0 and admin.is_closed()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_request_to_the_admin_port_gets_a_response_or_an_orderly_close(start_lb, upstream, number):
    server = upstream()
    paths = ["GET /debug/exchanges", "GET /upstreams", "GET /metrics", "GET /requests", "POST /reload", "POST /reload?dry_run=1",
             "POST /upstreams/default/one/drain?wait=10m", "GET /events"]
    for _ in range(5):
        lb = start_lb(f"workers: 2\nupstreams: [{{address: '{server.address}', name: one}}]\nhealth: {{uri: /health, interval: 20ms}}\n")
        idle, wrong, asked = Client(lb.public), [], []
        idle.get()

        def hammer(path, lb=lb, wrong=wrong, asked=asked):
            while True:
                try:
                    client = Client(lb.admin, 20)
                except ConnectionResetError:
                    continue  # as below
                except ConnectionRefusedError:
                    return  # it has ended
                try:
                    client.send(f"{path} HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\n\r\n")
                    if path == "GET /events":
                        asked.append(client.response()[0])  # to its end
                    else:
                        status, _, body = client.response()
                        asked.append(status)
                        if body is None or status == 500:
                            wrong.append((path, status, body))
                except EOFError as end:
                    if "b''" not in str(end):
                        wrong.append((path, str(end)))
                except ConnectionResetError as problem:
                    # When a listener closes, the kernel resets connections that came after its last accept(), and
                    # refuses all later ones.
                    with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):
                        Client(lb.admin, 20).close()
                        wrong.append((path, repr(problem)))
                except OSError as problem:
                    wrong.append((path, repr(problem)))
                finally:
                    client.close()
        threads = [threading.Thread(target=hammer, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        eventually(lambda: len(asked) > 30)
        lb.process.send_signal(number)
        assert lb.process.wait(20) == 0
        for thread in threads:
            thread.join(20)
        assert not wrong and "info stopped" in lb.process.log_text()


def test_who_waits_for_a_drain_is_told_that_lb_ends(start_lb, upstream):
    release = []
    server = upstream(held(release))
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{server.address}', name: one}}, {{address: '{upstream().address}', name: two}}]\npolicy: first\n")
    client = Client(lb.public, 20)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.requests)
    told = []
    waiting = threading.Thread(target=lambda: told.append(change(lb, "POST", "/upstreams/default/one/drain?wait=10m")))
    waiting.start()
    eventually(lambda: lb.states()["one"] == "draining")
    lb.process.send_signal(signal.SIGINT)
    lb.process.wait_for_log("info draining")
    lb.process.send_signal(signal.SIGINT)
    assert lb.process.wait(20) == 0
    waiting.join(20)
    status, answer = told[0]  # that it ends, or that its last request was cut off meanwhile
    assert answer == {"error": "lb is shutting down"} if status == 503 else (status, answer["in_flight"]) == (200, 0)


def test_what_is_cut_off_at_the_end_of_the_grace_has_an_outcome(start_lb, upstream):
    server = upstream(held([]))
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\nshutdown: {{grace: 50ms}}\n")
    clients = [Client(lb.public, 20) for _ in range(4)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(server.requests) == 4)
    lb.process.send_signal(signal.SIGTERM)
    assert lb.process.wait(20) == 0
    told = last_ledger(lb)
    assert (told["requests"], told["cut"], told["in_flight"], told["imbalance"]) == (4, 4, 0, 0)
    assert all(client.is_closed() for client in clients)
