"""lb itself is short of something (descriptors, ports, memory): no server is blamed, and requests go on when there is enough again."""
import re
import resource

import pytest
from system.upstream import Client, eventually, response


def test_out_of_descriptors_is_no_servers_fault(start_lb, upstream):
    servers = [upstream(lambda request: response(fields=[("Connection", "close")])) for _ in range(2)]
    lb = start_lb("workers: 1\nupstreams: [" + ", ".join(f"'{server.address}'" for server in servers) + "]\n"
                  "health: {uri: /health, interval: 20ms}\nretry: {deadline: 10m, budget: {min_per_second: 5}}\n")
    with open(f"/proc/{lb.process.pid}/maps") as maps:
        if re.search(r"/libubsan", maps.read()):
            pytest.skip("UBSan takes an object for invalid if it cannot open a pipe to look at it")
    client, admin = Client(lb.public, 60), Client(lb.admin, 60)
    assert client.get()[0] == 200
    limits = resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")

    def metric(name, result):
        lines = admin.get("/metrics", host=f"127.0.0.1:{lb.admin}")[2].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{") and f'result="{result}"' in line)
    eventually(lambda: metric("lb_attempts_total", "shortage") >= 10)
    eventually(lambda: "warn no probe" in lb.process.log_text())
    resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE, limits)
    assert client.response()[0] == 200
    assert {server["state"] for server in lb.upstreams().values()} == {"healthy"}
    assert all(len(server["history"]) == 1 for server in lb.upstreams().values()), "nothing was held against them"
    assert lb.metric("lb_health_checks_total", result="reset") == 0
    assert lb.metric("lb_retries_delayed_total") >= 1, "more attempts would not help: they are paid for"
