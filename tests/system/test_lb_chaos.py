"""Many misbehaving clients and servers at once: lb serves whom it can, confuses nobody, forgets nothing.

The acts come from a seed; run the same again by HOLDFAST_CHAOS_SEED (what falls together with what remains chance), and
for longer by HOLDFAST_CHAOS_SECONDS.
"""
import os
import random
import re
import threading
import time

from stack.process import tail
from system.chaos import HANG_SECONDS, ChaosClient, ChaosServer, Findings
from system.upstream import ask, eventually

CLIENTS = 64
CONFIG = """
workers: 2
limits: {connections: 50, connections_per_client: 10, client_min_rate: 4KiB}
timeouts: {client_head: 300ms, client_idle: 300ms, client_stall: 400ms, connect: 300ms, first_byte: 400ms, idle: 300ms, tunnel: 400ms}
health: {uri: /health, interval: 100ms}
passive: {max_fails: 5, eject_for: 20ms, eject_max: 100ms}
retry: {deadline: 600ms, body_buffer: 16KiB}
queue: {size: 4}
connections: {idle_timeout: 500ms}
upstreams:
"""
GAUGES = ["lb_requests_in_flight", "lb_listener_connections", "lb_queue_length", "lb_tunnels", "lb_upstream_requests_in_flight",
          "lb_upstream_connections", "lb_ledger_imbalance"]


def test_chaos_leaves_nothing_behind(start_lb):
    seed = os.environ.get("HOLDFAST_CHAOS_SEED") or str(random.randrange(1 << 32))
    seconds = float(os.environ.get("HOLDFAST_CHAOS_SECONDS", "4"))
    print(f"again: HOLDFAST_CHAOS_SEED={seed}")
    findings = Findings()
    servers = [ChaosServer(seed, f"s{i}", findings) for i in range(4)]
    lb = start_lb(CONFIG + "".join(f"  - {{address: {server.address}, max_requests: 8}}\n" for server in servers))
    descriptors = lb.process.descriptors()

    until = time.monotonic() + seconds
    clients = [ChaosClient(seed, i, lb.public, findings) for i in range(CLIENTS)]
    threads = [threading.Thread(target=client.run, args=(until,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        for path in ("/metrics", "/upstreams", "/debug/exchanges"):
            lb.process.must_run()
            lb.get_admin(path)
        time.sleep(0.05)
    for thread in threads:
        thread.join(2 * HANG_SECONDS)
    print(f"{sum(client.made for client in clients)} requests: {dict(sorted(findings.counts.items()))}")
    lb.process.must_run()
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
    assert not findings.list, f"{len(findings.list)} findings:\n" + "\n".join(findings.list[:20])

    for server in servers:
        server.is_calm = True

    def answers():
        status, fields, body = ask(lb.public, "/well")
        return status == 200 and fields["x-echo"] == "well" and len(body) == int(fields["x-size"])
    eventually(answers, 20, "no healthy request is served afterwards")

    for gauge in GAUGES:
        eventually(lambda: lb.metric(gauge) == 0, 20, f"{gauge} does not come back to 0")
    assert lb.get_admin("/debug/exchanges").strip() == ""
    eventually(lambda: lb.process.descriptors() <= descriptors, 20, "descriptors are kept")
    assert lb.metric("lb_requests_started_total") > CLIENTS, "hardly anything has happened"
    if not lb.process.is_sanitized():
        assert lb.process.rss_bytes() < 64 << 20

    assert lb.stop() == 0, tail(lb.process.log, 40)
    alarm = re.search(r"assertion failed.*|.*Sanitizer.*|.*runtime error.*", lb.process.log_text())
    assert alarm is None, alarm.group(0)
    for server in servers:
        server.close()
