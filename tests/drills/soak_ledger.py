"""The soak's account of its requests, small enough for hours: sums for every ten seconds, each new link, and what went wrong."""
import array
import collections

from .accounts import Tally, judge_rows
from .history import ABSENT, AFTER_PRIMARY, DELETED, OK, PRIMARY_AWAY
from .mix import RETRY_AFTER
from .soak_mix import Clicks
from .stores import UNSENT

BUCKET = 10.0  # seconds
REMEMBERED = 200  # failures that are told one by one


class Bucket:
    __slots__ = ("requests", "failed", "refused", "latencies")

    def __init__(self):
        self.requests = self.failed = self.refused = 0
        self.latencies = array.array("f")  # seconds, from when a request was due


def quantiles_ms(latencies):
    ordered = sorted(latencies)
    return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2) if ordered else None
            for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("slowest_ms", 1))}


class Ledger:
    """`begun` is when the load began, `faults` what is broken. What fails is told at once."""

    def __init__(self, begun, faults, say):
        self.say = say
        self.begun = begun
        self.faults = faults
        self.tally = Tally()
        self.clicks = Clicks()
        self.kinds = collections.Counter()
        self.buckets = {}
        self.new_links = []  # entries
        self.failed = self.refused = self.stale = 0
        self.errors = collections.Counter()
        self.told = []  # (seconds, kind, error, status) of the first failures
        self.late = array.array("f")  # how late the client itself sent

    def add(self, entry):
        entry.wanted.ended(entry)
        self.tally.add(entry)
        self.clicks.add(entry)
        self.kinds[entry.wanted.kind] += 1
        self.late.append(entry.begun - entry.due)
        bucket = self.buckets.setdefault(int((entry.due - self.begun) // BUCKET), Bucket())
        bucket.requests += 1
        bucket.latencies.append(entry.latency)
        if entry.wanted.kind == "create":
            self.new_links.append(entry)
        if entry.error is None:
            return
        if self.is_promised(entry):
            self.refused += 1
            bucket.refused += 1
            return
        if entry.wanted.is_stale:
            self.stale += 1
        else:
            self.failed += 1
        bucket.failed += 1
        self.errors[entry.error if not entry.wanted.is_stale else "stale"] += 1
        if len(self.told) < REMEMBERED:
            self.told.append((round(entry.due - self.begun, 2), round(entry.latency, 3), entry.wanted.kind,
                              entry.error + entry.wanted.note()))
            self.say("FAILED: {} s after the beginning, answered after {} s: {}: {}".format(*self.told[-1]))

    def is_promised(self, entry):
        """503 with Retry-After while the primary is away, or not found again: to what needs it, and to links that were made or
        changed so shortly before it went, or since it is back, that perhaps it alone has that."""
        if entry.status != 503 or not entry.error.endswith(RETRY_AFTER) or not self.faults.may_fail(entry.begun, entry.done):
            return False
        return entry.wanted.needs_primary or entry.wanted.made is not None and \
            bool(self.faults.lasted(PRIMARY_AWAY, entry.wanted.made, entry.wanted.made + UNSENT, AFTER_PRIMARY))

    def course(self):
        """What every ten seconds had."""
        return [{"at": number * BUCKET, "requests": one.requests, "failed": one.failed, "refused": one.refused,
                 **quantiles_ms(one.latencies)} for number, one in sorted(self.buckets.items())]

    def latencies(self, since=0.0, until=float("inf")):
        return [latency for number, one in self.buckets.items() if since <= number * BUCKET < until for latency in one.latencies]

    def worst_ms(self, spans):
        """The slowest request of the tens of seconds that these times touch."""
        numbers = {number for begin, end in spans for number in range(int(begin // BUCKET), int(end // BUCKET) + 1)}
        return round(max((max(self.buckets[number].latencies, default=0) for number in numbers & self.buckets.keys()),
                         default=0) * 1000, 1)


def judge_links(ledger, rows, codes, kept):
    """The primary's rows. `rows`: target → codes of the links that stay; `kept`: code → target, or DELETED, of those that
    change, whose histories are `codes`. Lost is a link or a change that somebody was told of."""
    account = judge_rows(ledger.new_links, rows)
    sure = [code for code in codes if not code.is_frozen and code.writes and code.writes[-1].state == OK]
    account["changed"] = sum(write.state == OK for code in codes for write in code.writes)
    wrong = [code.name for code in sure if kept.get(code.name, ABSENT) != code.current()]
    account["lost"] += len(wrong)
    account["lost_changes"] = wrong[:20]
    return account


def rows_that_change(primary, run):
    """For judge_links()."""
    answer = primary.sql("SELECT code || ' ' || CASE WHEN deleted_at IS NULL THEN target ELSE "
                         f"'{DELETED}' END FROM links WHERE code LIKE 'soak-{run}-%'")
    return dict(line.split(" ") for line in answer.splitlines())
