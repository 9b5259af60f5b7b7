"""A DNS server that is silent: nothing waits for it, least of all the end."""
import os
import signal
import socket
import threading

import pytest
from system.test_lb_admin import change
from system.test_lb_dns import Hosts, can_replace_hosts
from system.upstream import Upstream, ask, eventually

pytestmark = pytest.mark.skipif(not can_replace_hosts(), reason="needs root, to give lb a resolver of its own")


class SilentDns:
    """Takes queries at port 53 of a loopback address, and never responds."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.queries = []
        for number in range(1, 255):
            host = f"127.53.0.{number}"
            try:
                self.socket.bind((host, 53))
                break
            except OSError:
                continue
        # Longer than any test: five times half a minute.
        path.write_text(f"nameserver {host}\noptions timeout:30 attempts:5\n")
        self.resolv_conf = str(path)
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            try:
                self.queries.append(self.socket.recv(2000))
            except OSError:
                return

    def has_been_asked(self, name=b"app"):
        return any(name in query for query in self.queries)

    def close(self):
        self.socket.close()


@pytest.fixture
def dns(tmp_path):
    server = SilentDns(tmp_path / "resolv.conf")
    yield server
    server.close()


@pytest.fixture
def lb(start_lb, dns, tmp_path):
    """lb with a server app.test, whose name DNS has to be asked for from now on."""
    server = Upstream(host="127.0.0.11")
    hosts = Hosts(tmp_path / "hosts")
    hosts.write("127.0.0.11")
    started = start_lb(f"upstreams: [{{address: 'app.test:{server.port}', name: app}}]\ndns_refresh: 1h\n", hosts=hosts.path,
                       resolv_conf=dns.resolv_conf)
    hosts.write()
    yield started
    server.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reload_that_waits_for_dns_does_not_hold_up_the_end(lb, dns, number):
    os.kill(lb.process.pid, signal.SIGHUP)
    eventually(dns.has_been_asked)
    lb.process.send_signal(number)
    assert lb.process.wait(20) == 0
    assert "lb is shutting down; the configuration was not reloaded" in lb.process.log_text()


def test_who_asked_for_a_reload_that_waits_for_dns_is_told_that_lb_ends(lb, dns):
    told = []
    asking = [threading.Thread(target=lambda: told.append(change(lb, "POST", "/reload"))) for _ in range(3)]
    for thread in asking:
        thread.start()
    eventually(dns.has_been_asked)
    lb.process.send_signal(signal.SIGTERM)
    assert lb.process.wait(20) == 0
    for thread in asking:
        thread.join(20)
    assert [(status, answer["reloaded"]) for status, answer in told] == [(422, False)] * 3
    assert all("lb is shutting down" in answer["errors"][0] for _, answer in told)


def test_a_reload_that_waits_for_dns_does_not_hold_up_requests(lb, dns):
    os.kill(lb.process.pid, signal.SIGHUP)
    eventually(dns.has_been_asked)
    assert ask(lb.public)[0] == 200 and lb.states() == {"app": "healthy"}


def test_a_name_that_is_looked_up_again_does_not_hold_up_the_end(start_lb, dns, tmp_path):
    server = Upstream(host="127.0.0.11")
    hosts = Hosts(tmp_path / "hosts")
    hosts.write("127.0.0.11")
    lb = start_lb(f"upstreams: [{{address: 'app.test:{server.port}', name: app}}]\ndns_refresh: 100ms\n", hosts=hosts.path,
                  resolv_conf=dns.resolv_conf)
    hosts.write()
    eventually(dns.has_been_asked)
    assert ask(lb.public)[0] == 200
    lb.process.send_signal(signal.SIGTERM)
    assert lb.process.wait(20) == 0
    server.close()
