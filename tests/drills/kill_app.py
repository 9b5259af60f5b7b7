"""An instance is killed with SIGKILL under load, and started again."""
import asyncio
import datetime
import time

from stack.process import wait_until
from stack.stack import create_link

from .load import Load

NAME = "kill-app"
ABOUT = "kill -9 of a shortener instance under steady load, then its return: expect 0 failed"


def history_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def transitions(lb, server, since):
    """The server's changes of state after `since` (seconds since 1970): (time, to, reason)."""
    entries = lb.upstreams()[server]["history"]
    return [(history_time(one["time"]), one["to"], one["reason"]) for one in entries if history_time(one["time"]) >= since]


def run(stack, rate=300, seconds=9, say=print):
    """Returns the figures, a dict; `failed` is what matters."""
    links = []
    for number in range(50):
        status, link = create_link(stack.url(), f"https://example.com/drill/{number}")
        assert status == 201, (status, link)
        links.append(link["shortCode"])
    requests = [f"GET /{code} HTTP/1.1\r\nHost: drill.example\r\n\r\n".encode() for code in links]
    victim = stack.apps[0]
    lb = stack.lb
    retries_before = lb.metric("lb_retries_total")
    saved_before = lb.metric("lb_retry_successes_total")
    times = {}

    async def kill():
        times["killed"] = time.time()
        say(f"kill -9 {victim.process.pid} ({victim.process.name})")
        await asyncio.to_thread(victim.kill)

    async def restart():
        times["restarted"] = time.time()
        await asyncio.to_thread(victim.start)
        say(f"{victim.process.name} started again (pid {victim.process.pid})")

    load = Load(lb.public, lambda n: requests[n % len(requests)], lambda n, status, body: status == 302)
    say(f"{rate} GETs a second for {seconds:g} s through lb, open loop")
    asyncio.run(load.run(rate, seconds, at=[(seconds / 3, kill), (seconds * 2 / 3, restart)]))
    wait_until(lambda: lb.states()[victim.process.name] == "healthy", 15, "the instance does not come back")

    changes = transitions(lb, victim.process.name, times["killed"] - 0.001)
    out = next((when for when, to, _ in changes if to != "healthy"), None)
    back = next((when for when, to, _ in reversed(changes) if to == "healthy"), None)
    return {
        "requests": len(load.ledger),
        "failed": len(load.failed()),
        "errors": sorted({entry.error for entry in load.failed()}),
        "retried": int(lb.metric("lb_retries_total") - retries_before),
        "saved by retry": int(lb.metric("lb_retry_successes_total") - saved_before),
        "p50 ms": round(load.latency_ms(0.5), 2),
        "p99 ms": round(load.latency_ms(0.99), 2),
        "slowest ms": round(load.latency_ms(1), 2),
        "ejected after ms": round((out - times["killed"]) * 1000, 1) if out else None,
        "back after ms": round((back - times["restarted"]) * 1000, 1) if back else None,
        "ledger imbalance": int(lb.metric("lb_ledger_imbalance")),
    }


def is_held(figures):
    """What must hold: nobody noticed, and the instance went out and came back."""
    return (figures["failed"] == 0 and figures["ejected after ms"] is not None and figures["back after ms"] is not None)
