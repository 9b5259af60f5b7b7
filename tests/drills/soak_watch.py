"""What becomes of the processes in a long run: memory, descriptors, and whether one ended that nobody had ended."""
import os
import re
import threading
import time

PERIOD = 10.0  # seconds between two samples
# In a log: the programs' own assertions, and the sanitizers' words.
SICK = re.compile(r"assertion failed|AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|terminate called")


class Watch:
    """`parts`: {name: (part, group)}; `in_hand` has the groups that a fault has at the moment."""

    def __init__(self, parts, begun, say):
        self.parts = parts
        self.begun = begun
        self.say = say
        self.in_hand = set()
        self.samples = {name: [] for name in parts}  # (seconds, RSS, descriptors, age of the process in seconds)
        self.crashed = []
        self.logs_from = {name: size(part.process.log) for name, (part, _) in parts.items()}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self._sample(time.monotonic())

    def _work(self):
        next_at = time.monotonic()
        while not self.over.wait(0.5):
            for name, (part, group) in self.parts.items():
                if not part.process.is_running() and self._is_left(group) and not part.process.is_running():
                    self._crash(name, part)
            if time.monotonic() >= next_at:
                next_at += PERIOD
                self._sample(time.monotonic())

    def _is_left(self, group):
        """Nobody breaks it, now and a moment later: a fault says so before it does."""
        return group not in self.in_hand and not self.over.wait(0.2) and group not in self.in_hand

    def _crash(self, name, part):
        what = f"{name} ended with {part.process.exit_code()}, {time.monotonic() - self.begun:.0f} s after the beginning"
        self.say("CRASH: " + what)
        self.crashed.append(what)
        part.start()

    def _sample(self, now):
        for name, (part, _) in self.parts.items():
            try:
                age = time.clock_gettime(time.CLOCK_BOOTTIME) - part.process.began / os.sysconf("SC_CLK_TCK")
                self.samples[name].append((round(now - self.begun), part.process.rss_bytes(), part.process.descriptors(), round(age)))
            except (OSError, TypeError):
                pass  # it is dead at the moment

    def sick_lines(self):
        """What the programs' logs say of their own faults."""
        found = []
        for name, (part, _) in self.parts.items():
            with open(part.process.log, errors="replace") as log:
                log.seek(self.logs_from[name])
                found += [f"{name}: {line.strip()[:300]}" for line in log if SICK.search(line)]
        return found[:20]

    def memory(self, warm=60):
        """{name: first after `warm` seconds of life, largest, last; descriptors likewise}, of the process's longest life."""
        return {name: grown(samples, warm) for name, samples in self.samples.items() if samples}


def size(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def lives_of(samples):
    """Those of one process each, of (seconds, RSS, descriptors, age)."""
    lives, born = [], None
    for one in samples:
        if born is None or abs(one[0] - one[3] - born) > 3:
            lives.append([])
            born = one[0] - one[3]
        lives[-1].append(one)
    return lives


def longest_life(samples):
    return max(lives_of(samples), key=lambda life: life[-1][3], default=[])


def grown(samples, warm):
    """What the process that lived longest had, in MiB."""
    life = longest_life(samples)
    settled = [one for one in life if one[3] >= warm] or life[-1:]
    return {"lives": len(lives_of(samples)), "seconds": life[-1][0] - life[0][0],
            "rss_mib": [round(bytes_ / 2 ** 20, 1) for bytes_ in (settled[0][1], max(one[1] for one in life), life[-1][1])],
            "files": [settled[0][2], max(one[2] for one in life), life[-1][2]]}
