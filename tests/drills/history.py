"""The history of a code that is made, changed and deleted, and what a read may say of it: the judgement that the checker
and the soak share.

Every code has one writer at a time, so its writes have an order. An answer is possible where it is the word of a write that
had been sent by then, and that no later one had put out of date for longer than was promised.
"""
import dataclasses
import threading
import time

BOUND = 1.0  # seconds after which a change is everywhere, with or without Redis and the replica
SLACK = 1.0  # of a machine that does other things: an answer this late fails, one over BOUND is counted
BOUND_WITHOUT_FEED = 35.0  # while the primary is away: the time that a copy lives
AFTER_PRIMARY = 4.0  # seconds in which a primary that is back is taken back
AFTER_HANG = 1.5  # an instance that hung hears of what it missed

OK, PENDING, UNKNOWN, FAILED = "ok", "pending", "unknown", "failed"
ABSENT, DELETED = "404", "410"
APP_HANGS, PRIMARY_AWAY = "hang-app", "kill-primary"  # the faults that promises depend on


@dataclasses.dataclass
class Write:
    value: str  # a target, or DELETED
    sent: float
    state: str = PENDING
    answered: float = float("inf")


class Code:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.writes = []
        self.is_frozen = False  # a write's outcome is not known: it is written no more

    def begin(self, value):
        write = Write(value, time.monotonic())
        with self.lock:
            self.writes.append(write)
        return write

    def end(self, write, state):
        with self.lock:
            write.state = state
            write.answered = time.monotonic()
            self.is_frozen = self.is_frozen or state == UNKNOWN

    def current(self):
        with self.lock:
            done = [write for write in self.writes if write.state == OK]
            return done[-1].value if done else ABSENT


def possible(writes, sent, answered, bound_of):
    """What a read of this time may say: {value: how long it was out of date when the read began, at most 0 where not}.
    `bound_of(write)` is how long what came before this write may still be seen."""
    values = {}
    newer = None  # the earliest time from which something newer had been promised
    for write in reversed(writes):
        if write.sent > answered or write.state == FAILED:
            continue
        values.setdefault(write.value, 0.0 if newer is None else max(0.0, sent - newer))
        if write.state == OK and write.answered <= sent:
            newer = write.answered if newer is None else min(newer, write.answered)
            if sent - write.answered > bound_of(write):
                return values
    if not any(write.state == OK and write.answered <= sent for write in writes):
        values[ABSENT] = 0.0
    return values


class Faults:
    """What is broken, and when it was; and what that does to promises."""

    def __init__(self):
        self.lock = threading.Lock()
        self.past = []  # [kind, begin, end]

    def begin(self, kind):
        one = [kind, time.monotonic(), float("inf")]
        with self.lock:
            self.past.append(one)
        return one

    def was(self, kind, since, until, after=0.0):
        """Did one of this kind last into that time, or end less than `after` before it?"""
        return bool(self.lasted(kind, since, until, after))

    def lasted(self, kind, since, until, after=0.0):
        """When they did."""
        with self.lock:
            return [(begin, end) for name, begin, end in self.past
                    if name == kind and begin <= until and end + after >= since]

    def bound_of(self, sent):
        """For possible(): of a read that was sent then."""
        def bound(write):
            if self.was(APP_HANGS, write.answered - BOUND, sent, AFTER_HANG):
                return float("inf")
            if self.was(PRIMARY_AWAY, write.answered - BOUND, sent, AFTER_PRIMARY):
                return BOUND_WITHOUT_FEED
            return BOUND + SLACK
        return bound

    def may_fail(self, sent, answered):
        """Is "not now" right for what needs the primary? An instance that hung has yet to hear that it is back."""
        return self.was(PRIMARY_AWAY, sent, answered, AFTER_PRIMARY) or \
            any(self.was(PRIMARY_AWAY, begin, end, AFTER_PRIMARY)
                for begin, end in self.lasted(APP_HANGS, sent, answered, AFTER_PRIMARY))

    def excuse(self, age, sent):
        """May what is `age` seconds out of date be older than BOUND?"""
        return self.was(APP_HANGS, sent - age, sent, AFTER_HANG) or \
            self.was(PRIMARY_AWAY, sent - age - BOUND, sent, AFTER_PRIMARY)
