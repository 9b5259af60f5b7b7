"""Three accounts of the same requests, and whether they agree: the clients', the database's, lb's."""
import collections
import json
import re
import time

from . import load
from .mix import TARGET


def rows_of(stack, run):
    """What the primary has of a run: target → codes."""
    answer = stack.primary.sql(f"SELECT target || ' ' || code FROM links WHERE target LIKE '{TARGET}/{run}/%'")
    rows = collections.defaultdict(list)
    for line in answer.splitlines():
        target, code = line.split(" ")
        rows[target].append(code)
    return rows


def settled_rows(stack, run):
    """Rows, once no more come: a server that hung may have something left to do."""
    rows = rows_of(stack, run)
    while True:
        time.sleep(0.4)
        again = rows_of(stack, run)
        if again == rows:
            return rows
        rows = again


def judge_rows(entries, rows):
    """Every POST that was answered has exactly one row, with the code of its answer; what failed may have none."""
    account = dict(duplicated=0, lost=0, failed_yet_made=0, wrong_code=0)
    posts = [entry for entry in entries if entry.wanted.is_post]
    for entry in posts:
        codes = rows.get(entry.wanted.target, [])
        account["duplicated"] += max(0, len(codes) - 1)
        if entry.error is not None:
            account["failed_yet_made"] += 1 if codes else 0
        elif not codes:
            account["lost"] += 1
        elif entry.wanted.code not in codes:
            account["wrong_code"] += 1
    account["of_nobody"] = len(rows.keys() - {entry.wanted.target for entry in posts})
    return account


LEDGER = ("requests", "answered", "local_error", "cut", "client_gone", "tunnelled", "saved_by_retry", "in_flight", "imbalance")


class LbAccount:
    """What lb has counted since this was made; where it was upgraded meanwhile, its predecessors too, of whom only the
    ledger is known once they have ended."""

    def __init__(self, lb):
        self.lb = lb
        self.before = self._settled(10)
        self.ended = len(lb.ledgers())

    def _read(self):
        counts = collections.Counter()
        ledger = json.loads(self.lb.get_admin("/ledger"))
        for name in LEDGER:
            counts[name] = ledger[name]
        for line in self.lb.get_admin("/metrics").splitlines():
            found = re.fullmatch(r'lb_requests_total\{.*code="(\d+)".*\} (\S+)', line)
            if found:
                counts["status " + found.group(1)] += int(float(found.group(2)))
        counts["retried"] = int(self.lb.metric("lb_retries_total"))
        return counts

    def _settled(self, seconds):
        """What it has counted, once nothing is in flight: a client has its answer a moment before it counts as answered."""
        deadline = time.monotonic() + seconds
        while True:
            now = self._read()
            if now["in_flight"] == 0 or time.monotonic() > deadline:
                return now
            time.sleep(0.05)

    def read(self, seconds=10):
        """The counts, once nothing is in flight."""
        now = self._settled(seconds)
        if former := self.lb.ledgers()[self.ended:]:
            for ledger in former:
                now.update(ledger)
            now = {name: count for name, count in now.items() if name in LEDGER}
        return {name: now[name] - (0 if name in ("in_flight", "imbalance") else self.before[name]) for name in now}


class Tally:
    """The clients' account, in lb's words."""

    def __init__(self):
        self.requests = 0
        self.outcomes = collections.Counter()
        self.statuses = collections.Counter()  # of whole answers

    def add(self, entry):
        self.requests += 1
        self.outcomes[entry.outcome] += 1
        if entry.outcome in (load.ANSWERED, load.LOCAL_ERROR):
            self.statuses[f"status {entry.status}"] += 1

    def differences(self, counted):
        """Where lb's account is not the clients': {what: (clients, lb)}; empty where they agree to the last request."""
        told = {
            "requests": self.requests - self.outcomes[load.UNSENT],
            "answered": self.outcomes[load.ANSWERED],
            "local_error": self.outcomes[load.LOCAL_ERROR],
            "cut": self.outcomes[load.CUT] + self.outcomes[load.CLOSED],
            "client_gone": self.outcomes[load.CLIENT_GONE],
            "tunnelled": 0, "in_flight": 0, "imbalance": 0,
        }
        by_status = {name for name in counted if name.startswith("status ")}
        for name in by_status | self.statuses.keys() if by_status else ():
            told[name] = self.statuses[name]
        return {name: (told[name], counted.get(name, 0)) for name in told if told[name] != counted.get(name, 0)}


def differences(entries, counted):
    tally = Tally()
    for entry in entries:
        tally.add(entry)
    return tally.differences(counted)
