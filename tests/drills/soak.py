"""The soak: everything is broken at random, again and again, under mixed load, and the ledger is judged.

What must be 0 at the end, whatever was broken: requests that failed, links made twice, links or changes lost, answers out of
date for longer than promised, clicks miscounted. See docs/ops/soak.md.
"""
import asyncio
import collections
import contextlib
import dataclasses
import os
import random
import secrets
import signal
import subprocess
import time

from stack.programs import ROOT

from . import chaos, clicks, sabotage
from .accounts import LbAccount, settled_rows
from .history import Faults
from .load import Load
from .scene import Scene
from .soak_ledger import Ledger, judge_links, quantiles_ms, rows_that_change
from .soak_mix import Everything
from .soak_schedule import APPS, LB, PRIMARY, RECOVERY, REDIS, REPLICA, WORKERS, schedule
from .soak_watch import Watch, longest_life
from .whole import make_whole

NAME = "soak"
ABOUT = "all faults at random, for as long as is wished, under mixed load; failed, made twice, lost, stale, miscounted must be 0"
GROWTH_MIB = 24  # lb may grow by so much after its warm-up; more is a leak
WARM = 300  # seconds of warm-up, before memory is compared


@dataclasses.dataclass
class Options:
    minutes: float = 60
    rate: float = 200  # requests a second
    burst: int = 10
    links: int = 100  # there are before
    seed: int | None = None
    sabotage: tuple = ()  # what is put in on purpose, and must be found; then nothing else is broken
    settle: float = 180  # seconds for clicks to be counted


class Stage:
    """What a fault works with: its own dice, so that it does the same whatever others do meanwhile."""

    def __init__(self, fault, stack, workers, load, say):
        self.stack, self.workers, self.load, self.say = stack, workers, load, say
        self.dice = random.Random(fault.dice)
        self.scene = Scene(stack, load, self.dice, say)
        self.breaker = None

    def clicks(self, seconds):
        self.breaker = clicks.Breaker(self.stack, self.workers, self.load, clicks.Options(hold=seconds), self.dice, self.say)
        return self.breaker

    @property
    def poisoned(self):
        return self.breaker.poisoned if self.breaker else 0


class Soak:
    def __init__(self, stack, options, say):
        self.stack, self.options, self.say = stack, options, say
        self.seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
        self.plan = [] if options.sabotage else schedule(self.seed, options.minutes * 60)
        self.faults = Faults()
        self.mix = Everything(random.Random(f"{self.seed} mix"), self.faults).prepare(stack.url(), options.links)
        self.spans = []  # of faults: name, part, begin, end; in seconds
        self.undone = []  # faults that could not be done, and why
        self.poisoned = 0
        self.is_over = asyncio.Event()

    def run(self):
        """The figures."""
        stack = self.stack
        dead_before = clicks.waiting(stack.primary)[1]
        second = clicks.second_worker(stack)
        self.workers = [stack.worker, second]
        account = LbAccount(stack.lb)
        self.load = Load(stack.lb.public, self.mix, self.options.rate, self.options.burst, time_limit=30, told=self._told)
        self.begun = time.monotonic()
        self.wall = time.time()
        self.ledger = Ledger(self.begun, self.faults, self.say)
        parts = {"lb": (stack.lb, LB), **{app.process.name: (app, APPS) for app in stack.apps},
                 **{worker.process.name: (worker, WORKERS) for worker in self.workers},
                 "primary": (stack.primary, PRIMARY), "replica": (stack.replica, REPLICA), "redis": (stack.redis, REDIS)}
        try:
            with Watch(parts, self.begun, self.say) as self.watch:
                with sabotage.all_of(self.options.sabotage, stack, self.mix):
                    asyncio.run(self.load.run(self._script()))
                seconds = time.monotonic() - self.begun
            make_whole(stack, stack.lb)
            second.process.resume()
            if not second.process.is_running():
                second.start()
            return self._figures(account.read(), dead_before, seconds)
        finally:
            second.stop()

    def _told(self, entry):
        self.ledger.add(entry)

    # --- Breaking ---

    async def _script(self):
        running = {}
        with stopped_by_interrupt(self.is_over, self.say):
            telling = asyncio.create_task(self._tell())
            try:
                for fault in self.plan:
                    if not await self._until(fault.at):
                        break
                    while barring := [task for other, task in running.items() if fault.kind.bars(other.kind) and not task.done()]:
                        await asyncio.wait(barring)
                    running = {other: task for other, task in running.items() if not task.done()}
                    running[fault] = asyncio.create_task(self._break(fault))
                await self._until(self.options.minutes * 60)
            finally:
                telling.cancel()
                if running:
                    await asyncio.wait(running.values())

    async def _until(self, at):
        """False where it is over before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.begun + at - time.monotonic())):
                await self.is_over.wait()
        return not self.is_over.is_set()

    async def _break(self, fault):
        kind = fault.kind
        began = time.monotonic() - self.begun
        self.say(f"{began:7.1f} s: {kind.name}, {fault.seconds:g} s")
        stage = Stage(fault, self.stack, self.workers, self.load, lambda text: None)
        self.watch.in_hand.add(kind.part)
        means = [self.faults.begin(what) for what in kind.means]
        try:
            await kind.act(stage, fault.seconds)
        except Exception as problem:  # the run goes on: whether clients noticed is what is asked
            self.undone.append(f"{kind.name} at {began:.0f} s: {type(problem).__name__}: {problem}")
            self.say(f"could not be done: {self.undone[-1]}")
            await asyncio.to_thread(self._mend, kind.part)
        finally:
            for one in means:
                one[2] = time.monotonic()
            self.watch.in_hand.discard(kind.part)
            self.poisoned += stage.poisoned
            self.spans.append((kind.name, kind.part, round(began, 2), round(time.monotonic() - self.begun, 2)))
        await asyncio.sleep(RECOVERY[kind.part])  # however long it took: what bars this one waits for its end

    def _mend(self, group):
        """All of a part runs, whatever a fault has left."""
        for part, its in self.watch.parts.values():
            if its == group:
                part.process.resume()
                if not part.process.is_running():
                    part.start()
        if group == WORKERS:
            self.stack.primary.sql("UPDATE click_control SET is_paused = false")

    async def _tell(self):
        """A line each minute."""
        for minute in range(1, int(self.options.minutes) + 1):
            await asyncio.sleep(max(0.0, self.begun + minute * 60 - time.monotonic()))
            ledger = self.ledger
            recent = quantiles_ms(ledger.latencies(minute * 60 - 60, minute * 60))
            self.say(f"--- minute {minute} of {self.options.minutes:g}: {len(self.spans)} faults, {ledger.tally.requests:,} requests, "
                     f"{ledger.failed} failed, {ledger.refused} refused as promised, {ledger.stale} stale, {len(self.watch.crashed)} "
                     f"crashed; this minute p50 {recent['p50_ms']} ms, p99 {recent['p99_ms']} ms, slowest {recent['slowest_ms']} ms")

    # --- Judging ---

    def _figures(self, counted, dead_before, seconds):
        stack, ledger, mix = self.stack, self.ledger, self.mix
        self.say("the books: links, changes, clicks")
        links = judge_links(ledger, settled_rows(stack, mix.run), mix.all_changing, rows_that_change(stack.primary, mix.run))
        codes = list(ledger.clicks.answered.keys() | ledger.clicks.failed.keys())
        began = time.monotonic()
        books, amiss = clicks.settle(stack, codes, ledger.clicks.answered, ledger.clicks.failed, dead_before + self.poisoned,
                                     self.options.settle)
        settled = time.monotonic() - began
        missing, extra = clicks.miscounted(books, codes, ledger.clicks.answered, ledger.clicks.failed)
        late = sorted(ledger.late)
        kinds = collections.defaultdict(list)
        for name, _, begin, end in self.spans:
            kinds[name].append((begin, end))
        figures = {
            "drill": NAME, "seed": self.seed, "minutes": self.options.minutes, "seconds": round(seconds, 1),
            "rate": self.options.rate, "burst": self.options.burst, "begun": self.wall, "load": os.getloadavg()[0],
            "machine": chaos.machine(), "revision": programs_revision(),
            "requests": ledger.tally.requests, "kinds": dict(ledger.kinds), "failed": ledger.failed, "refused": ledger.refused,
            "duplicated": links["duplicated"], "lost": links["lost"], "stale": ledger.stale, "miscounted": missing + extra,
            "clicks_missing": missing, "clicks_extra": extra, "clicks": sum(ledger.clicks.answered.values()),
            "counted": {name: sum(book.get(code, 0) for code in codes) for name, book in books.items()},
            "clicks_settled_s": round(settled, 1), "poisoned": self.poisoned, "links": links,
            "ages": {"count": len(mix.ages), "over_a_second": sum(age > 1 for age in mix.ages),
                     "oldest_s": round(max(mix.ages, default=0), 3)},
            "errors": dict(ledger.errors.most_common(20)), "told": ledger.told,
            "ledger": {name: counted[name] for name in ("requests", "answered", "local_error", "cut", "client_gone")},
            "saved": counted["saved_by_retry"],
            "disagreements": ledger.tally.differences(counted),
            "latency": quantiles_ms(ledger.latencies()),
            "client_late_ms": {str(share): round(late[int(share * (len(late) - 1))] * 1000, 1) for share in (0.5, 0.99, 1)},
            "memory": self.watch.memory(), "samples": self.watch.samples, "crashed": self.watch.crashed,
            "sick": self.watch.sick_lines(), "undone": self.undone, "spans": self.spans, "course": ledger.course(),
            "faults": {name: {"count": len(spans), "seconds": round(sum(end - begin for begin, end in spans), 1),
                              "worst_ms": ledger.worst_ms(spans)} for name, spans in sorted(kinds.items())},
            "amiss": amiss,
        }
        figures["wrong"] = what_is_wrong(figures)
        figures["held"] = not figures["wrong"]
        return figures


def programs_revision():
    """The last commit that changed what is tested."""
    return subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%h", "--abbrev=10", "--", "lb", "app", "common"],
                          capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def stopped_by_interrupt(is_over, say):
    """Ctrl-C ends the run as its time would: what is broken is mended, and judged what has been."""
    loop = asyncio.get_running_loop()

    def stop():
        say("interrupted: waiting for what is broken to be mended, then the verdict so far")
        is_over.set()
        loop.remove_signal_handler(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def what_is_wrong(figures):
    """In words; an empty list where nobody noticed anything."""
    wrong = [f"{figures[name]} {words}" for name, words in (
        ("failed", "failed"), ("duplicated", "made twice"), ("lost", "answered and lost"), ("stale", "out of date"),
        ("miscounted", "clicks miscounted")) if figures[name]]
    wrong += [f"{figures['links'][name]} {words}" for name, words in (
        ("wrong_code", "answered with another code than was kept"), ("of_nobody", "made that nobody asked for"))
        if figures["links"][name]]
    wrong += figures["amiss"] + figures["crashed"] + figures["sick"]
    for name in ("local_error", "cut"):
        # 503 that lb passes on is the shortener's; one of its own is a request that it could not get answered.
        if figures["ledger"][name]:
            wrong.append(f"lb's ledger has {figures['ledger'][name]} {name}")
    for name, (clients, lb) in figures["disagreements"].items():
        wrong.append(f"the ledger's {name}: {lb}, of the clients {clients}")
    wrong += leaks(figures["samples"].get("lb", []))
    return wrong


def leaks(samples):
    """Of the process that lived longest: memory or descriptors that only grow."""
    settled = [one for one in longest_life(samples) if one[3] >= WARM]
    if len(settled) < 2:
        return []
    found = []
    grown = (settled[-1][1] - settled[0][1]) / 2 ** 20
    if grown > GROWTH_MIB:
        found.append(f"lb grew by {grown:.0f} MiB after its warm-up")
    files = settled[-1][2] - settled[0][2]
    if files > 100:
        found.append(f"lb has {files} descriptors more than after its warm-up")
    return found


def run(stack, options, say=print):
    return Soak(stack, options, say).run()


def show(figures, say):
    for name in ("seconds", "requests", "failed", "duplicated", "lost", "stale", "miscounted", "refused", "saved"):
        say(f"  {name:<13}{figures[name]}")
    say(f"  kinds        {', '.join(f'{count} {kind}' for kind, count in sorted(figures['kinds'].items()))}")
    say(f"  latency      {figures['latency']}; the client itself sent late by {figures['client_late_ms']} ms")
    say(f"  clicks       {figures['clicks']} answered, counted {figures['counted']} within {figures['clicks_settled_s']} s")
    for name, one in figures["faults"].items():
        say(f"  {one['count']:4} × {name:<22} slowest meanwhile {one['worst_ms']} ms")
    for name, one in figures["memory"].items():
        say(f"  {name:<9} {one['lives']} lives; MiB {one['rss_mib']}, descriptors {one['files']} (warm, most, last)")
    for error, count in figures["errors"].items():
        say(f"  {count} × {error}")
    for one in figures["told"][:20]:
        say(f"  at {one[0]} s, after {one[1]} s: {one[2]}: {one[3]}")
    for one in figures["undone"]:
        say(f"  could not be done: {one}")
    say("  held" if figures["held"] else "  DID NOT HOLD: " + "; ".join(figures["wrong"]))
