"""What the parts of the system had to do, second by second: look-ups at each store, requests at each instance, processors'
time of each process, transactions and rows of each database."""
import os
import threading
import time
import urllib.request

from stack.process import descendants
from stack.programs import sum_of_samples

from . import database

TIERS = ("redis", "replica", "primary")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_ticks(pid):
    """Of a process and its children, those included that have ended; 0 where it is gone."""
    ticks = 0
    for one in [pid, *descendants(pid)]:
        try:
            with open(f"/proc/{one}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks


class Growth:
    """Of counters that a part may take with it when it dies, and that are not told while it hangs."""

    def __init__(self):
        self.last = {}

    def of(self, counts):
        """By how much each has grown since it was told last. One that is less than before began anew at 0."""
        grown = {name: value - self.last[name] if value >= self.last[name] else value
                 for name, value in counts.items() if name in self.last}
        self.last.update(counts)
        return grown


class Samples:
    """`rows` has, for each second: its end on the load's clock, and a second's worth of what grows, by name: "redis",
    "requests app1", "cpu primary" (a share of a core), "transactions replica"."""

    def __init__(self, stack):
        self.stack = stack
        self.rows = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.databases = {server.process.name: database.Observer(server) for server in (stack.primary, stack.replica)}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for one in self.databases.values():
            one.close()

    def _work(self):
        growth = Growth()
        at = time.monotonic()
        growth.of(self._read())
        while not self.over.wait(max(0.0, at + 1 - time.monotonic())):
            now, grown = time.monotonic(), growth.of(self._read())
            row = {name: 0.0 for name in self._names()}
            for (name, _), value in grown.items():
                row[name] += value / (now - at)
            self.rows.append((now, row))
            at = now

    def _names(self):
        return [*TIERS, *("requests " + app.process.name for app in self.stack.apps),
                *("cpu " + process.name for process in self._processes()),
                *(f"{what} {name}" for name in self.databases for what in database.COUNTS)]

    def _processes(self):
        return [self.stack.primary.process, self.stack.replica.process, self.stack.redis.process, self.stack.lb.process,
                *(app.process for app in self.stack.apps)]

    def _read(self):
        """Counters by (name, whose they are)."""
        counts = {}
        for app in self.stack.apps:
            own = app.process.name
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{app.port}/metrics", timeout=0.5) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
            for tier in TIERS:
                counts[tier, own] = sum(sum_of_samples(text, "shortener_lookup_total", {"tier": tier, "result": result})
                                        for result in ("hit", "miss"))
            counts["requests " + own, own] = sum(sum_of_samples(text, "shortener_http_requests_total", {"route": route})
                                                 for route in ("redirect", "links"))
        for process in self._processes():
            if process.is_running():
                counts["cpu " + process.name, process.name] = cpu_ticks(process.pid) / TICKS
        for name, one in self.databases.items():
            counts.update({(f"{what} {name}", name): value for what, value in one.read().items()})
        return counts

    def mean(self, name, since, until):
        values = [row[name] for at, row in self.rows if since <= at < until]
        return sum(values) / len(values) if values else 0.0
