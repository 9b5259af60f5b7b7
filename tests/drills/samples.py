"""What the parts of the system had to do, second by second: look-ups at each store, processors' time of each process."""
import os
import threading
import time
import urllib.request

from stack.process import descendants
from stack.programs import sum_of_samples

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


class Samples:
    """`rows` has, for each second: its end on the load's clock, look-ups a second by tier, share of a core by process."""

    def __init__(self, stack):
        self.stack = stack
        self.rows = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _work(self):
        at, counts = time.monotonic(), self._read()
        while not self.over.wait(max(0.0, at + 1 - time.monotonic())):
            now, new = time.monotonic(), self._read()
            # A process that was started again begins at 0: what it did before is not counted twice, nor below nothing.
            self.rows.append((now, {name: max(0.0, value - counts.get(name, 0)) / (now - at) for name, value in new.items()}))
            at, counts = now, new

    def _read(self):
        counts = dict.fromkeys(TIERS, 0.0)
        for app in self.stack.apps:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{app.port}/metrics", timeout=0.9) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
            for tier in TIERS:
                for result in ("hit", "miss"):
                    counts[tier] += sum_of_samples(text, "shortener_lookup_total", {"tier": tier, "result": result})
        for process in (self.stack.primary.process, self.stack.replica.process, self.stack.redis.process, self.stack.lb.process,
                        *(app.process for app in self.stack.apps)):
            counts["cpu " + process.name] = cpu_ticks(process.pid) / TICKS if process.is_running() else 0.0
        return counts

    def mean(self, name, since, until):
        values = [row[name] for at, row in self.rows if since <= at < until]
        return sum(values) / len(values) if values else 0.0
