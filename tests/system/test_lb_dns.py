"""Servers given by name: every address of it is one; addresses that come are used, those that leave are drained."""
import os
import subprocess
import threading

import pytest
from system.upstream import Client, Upstream, ask, eventually, response


def can_replace_hosts():
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_replace_hosts(), reason="needs root, to give lb an /etc/hosts of its own")


class Hosts:
    """What `app.test` is, for lb."""

    def __init__(self, path):
        self.path = str(path)
        self.write()

    def write(self, *addresses):
        with open(self.path, "r+" if os.path.exists(self.path) else "w") as out:  # in place: it is mounted
            out.truncate()
            out.write("127.0.0.1 localhost\n" + "".join(f"{address} app.test\n" for address in addresses))


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path / "hosts")


@pytest.fixture
def servers():
    """Three servers at 127.0.0.11, .12 and .13, with one port; each says who it is."""
    port = None
    started = []
    for number in range(11, 14):
        host = f"127.0.0.{number}"
        server = Upstream(lambda request, host=host: response(body=host.encode()), port=port or 0, host=host)
        port = server.port
        started.append(server)
    yield started
    for one in started:
        one.close()


def lb_for(start_lb, hosts, port, more=""):
    # Idle connections would end by themselves after a while, and what is to end them would not be seen to.
    return start_lb(f"upstreams: [{{address: 'app.test:{port}', name: app}}]\ndns_refresh: 100ms\nconnections: {{idle_timeout: 1h}}\n"
                    f"health: {{uri: /health, interval: 100ms}}\n{more}", hosts=hosts.path)


def who_answers(lb, times=12):
    return {ask(lb.public)[2].decode() for _ in range(times)}


def test_every_address_of_a_name_is_a_server(start_lb, hosts, servers):
    hosts.write("127.0.0.11", "127.0.0.12")
    lb = lb_for(start_lb, hosts, servers[0].port)
    assert {name: one["address"] for name, one in lb.upstreams().items()} == {
        "app": f"127.0.0.11:{servers[0].port}", "app@2": f"127.0.0.12:{servers[0].port}"}
    assert who_answers(lb) == {"127.0.0.11", "127.0.0.12"}
    assert len(ask(lb.admin, "/metrics")[2].decode().split('server="app@3"')) == 1, "what has no address is not shown"


def test_an_address_that_comes_is_used_and_one_that_leaves_is_not(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    lb = lb_for(start_lb, hosts, servers[0].port)
    assert who_answers(lb) == {"127.0.0.11"}
    hosts.write("127.0.0.11", "127.0.0.13")
    eventually(lambda: lb.states().get("app@2") == "healthy")
    assert who_answers(lb) == {"127.0.0.11", "127.0.0.13"}
    hosts.write("127.0.0.12", "127.0.0.13")
    eventually(lambda: lb.states()["app"] == "down" and lb.states().get("app@3") == "healthy")
    assert who_answers(lb) == {"127.0.0.12", "127.0.0.13"}
    assert not servers[0].open, "its idle connections were closed"
    hosts.write("127.0.0.11", "127.0.0.12", "127.0.0.13")
    eventually(lambda: lb.states()["app"] == "healthy")
    assert lb.upstreams()["app"]["address"] == f"127.0.0.11:{servers[0].port}", "a place that was freed is used again"
    assert who_answers(lb) == {"127.0.0.11", "127.0.0.12", "127.0.0.13"}
    assert lb.metric("lb_ledger_imbalance") == 0


def test_a_request_under_way_to_an_address_that_leaves_is_answered(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    release = threading.Event()
    servers[0].answer = lambda request: lambda connection: (release.wait(20), connection.sendall(response(body=b"late")))
    lb = lb_for(start_lb, hosts, servers[0].port)
    client = Client(lb.public, timeout=20)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_requests_in_flight") == 1)
    hosts.write("127.0.0.12")
    eventually(lambda: lb.states()["app"] == "draining" and lb.states().get("app@2") == "healthy")
    assert who_answers(lb, 4) == {"127.0.0.12"}
    release.set()
    assert client.response()[2] == b"late"
    eventually(lambda: lb.states()["app"] == "down")


def test_an_address_that_comes_back_in_time_goes_on(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    release = threading.Event()
    slow = [True]
    servers[0].answer = lambda request: ((lambda connection: (release.wait(20), connection.sendall(response()))) if slow[0]
                                         else response())
    lb = lb_for(start_lb, hosts, servers[0].port)
    client = Client(lb.public, timeout=20)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_requests_in_flight") == 1)
    hosts.write("127.0.0.12")
    eventually(lambda: lb.states()["app"] == "draining")
    hosts.write("127.0.0.11", "127.0.0.12")
    eventually(lambda: lb.states()["app"] == "healthy")
    release.set()
    assert client.response()[0] == 200


def test_a_name_that_resolves_to_nothing_for_a_while_keeps_its_servers(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    lb = lb_for(start_lb, hosts, servers[0].port)
    hosts.write()
    eventually(lambda: "name not resolved" in lb.process.log_text(), seconds=30)
    assert who_answers(lb, 4) == {"127.0.0.11"} and lb.states() == {"app": "healthy"}
    hosts.write("127.0.0.12")
    eventually(lambda: "name resolved again" in lb.process.log_text(), seconds=30)
    eventually(lambda: who_answers(lb, 2) == {"127.0.0.12"})


def test_a_name_without_address_is_a_server_that_is_down_until_it_has_one(start_lb, hosts, servers):
    hosts.write()
    lb = start_lb(f"workers: 2\nupstreams: [{{address: 'app.test:{servers[0].port}', name: app}}]\ndns_refresh: 1h\n"
                  "retry: {deadline: 30s}\nhealth: {uri: /health, interval: 50ms}\n", hosts=hosts.path)
    assert lb.states() == {"app": "down"} and lb.metric("lb_upstream_up") == 0
    waiting = Client(lb.public, 30)
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: lb.metric("lb_queue_length") == 1)
    hosts.write("127.0.0.12", "127.0.0.11")
    assert waiting.response()[2] in (b"127.0.0.11", b"127.0.0.12"), "an hour's refresh does not hold it up"
    eventually(lambda: set(lb.states().values()) == {"healthy"} and len(lb.states()) == 2)


def test_more_addresses_than_there_are_places_for(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    lb = lb_for(start_lb, hosts, servers[0].port, "dns_addresses: 2\n")
    hosts.write("127.0.0.11", "127.0.0.12", "127.0.0.13")
    eventually(lambda: lb.states().get("app@2") == "healthy")
    eventually(lambda: "addresses left out" in lb.process.log_text())
    assert len(who_answers(lb)) == 2


def test_lb_ends_while_a_name_is_looked_up(start_lb, hosts, servers):
    hosts.write("127.0.0.11")
    lb = lb_for(start_lb, hosts, servers[0].port)
    hosts.write()  # asked of a name server that may not be there
    eventually(lambda: lb.metric("process_start_time_seconds") > 0)
    assert lb.stop() == 0
