"""Reloads leave nothing behind: neither memory nor descriptors, once the requests that began before have ended."""
import json
import threading

import pytest
from system.test_lb_admin import change
from system.test_lb_reload import ledger, write
from system.upstream import Client, ask, eventually, response

pytestmark = pytest.mark.long  # above all under a sanitizer

POOLS = 100
MIB = 1024 * 1024


def pools(server, names):
    """A configuration with these pools, of two servers each."""
    text = "timeouts: {first_byte: 1h}\npools:\n" + "".join(f"  {name}: {{upstreams: [{{address: '{server.address}', name: one}}, {{address: '127.0.0.1:9', name: two, backup: true}}]}}\n"
                                for name in names)
    return text + "routes:\n" + "".join(f"  - {{host: {name}.test, pool: {name}}}\n" for name in names)


def reloaded(lb, times):
    for _ in range(times):
        status, answer = change(lb, "POST", "/reload")
        assert (status, answer["reloaded"]) == (200, True), answer


@pytest.mark.parametrize("is_under_way", [False, True])
def test_memory_levels_off(start_lb, upstream, is_under_way):
    """Half a megabyte a reload is what this configuration takes."""
    release = threading.Event()
    server = upstream(lambda request: (lambda connection: (release.wait(), connection.sendall(response(body=b"held"))))
                      if request.target == "/held" else response())
    lb = start_lb("workers: 2\n" + pools(server, [f"p{number}" for number in range(POOLS)]))
    clients = [Client(lb.public, 60) for _ in range(4)]
    for client in clients if is_under_way else []:
        client.send("GET /held HTTP/1.1\r\nHost: p1.test\r\n\r\n")
    eventually(lambda: len(server.requests) == (4 if is_under_way else 0))
    reloaded(lb, 40)
    before, descriptors = lb.process.rss_bytes(), lb.process.descriptors()
    reloaded(lb, 80)
    if not lb.process.is_sanitized():  # those keep for a while what is freed
        assert lb.process.rss_bytes() - before < 16 * MIB
    assert lb.process.descriptors() <= descriptors + 8
    release.set()
    for client in clients if is_under_way else []:
        assert client.response()[2] == b"held"
    assert ask(lb.public, host="p7.test")[0] == 200
    assert ledger(lb)["requests"] == len(server.requests) and ledger(lb)["imbalance"] == 0


def test_pools_that_are_called_otherwise_each_time_are_forgotten_but_for_their_sum(start_lb, upstream):
    server = upstream()
    lb = start_lb("workers: 1\n" + pools(server, ["p0"]))
    asked = 0
    for generation in range(1, 41):
        assert ask(lb.public, host=f"p{generation - 1}.test")[0] == 200
        asked += 1
        write(lb, pools(server, [f"p{generation}"] + [f"q{generation}_{number}" for number in range(10)]))
        reloaded(lb, 1)
    told = ledger(lb)
    assert (told["requests"], told["answered"], told["imbalance"]) == (asked, asked, 0)
    assert len(json.loads(lb.get_admin("/ledger"))["pools"]) == 12
