"""The drill of clicks: everything on a click's way is broken under load, and afterwards the books must agree.

The ledger, for each code: redirects that were answered = clicks counted, in every table that counts them. A request that
failed may have been counted or not; where none failed the two are equal, and that is what is asked for.
"""
import asyncio
import collections
import contextlib
import dataclasses
import json
import os
import random
import secrets
import shutil
import struct
import time
import uuid

from stack import ports
from stack.process import Failed, wait_until
from stack.programs import Worker
from stack.stack import create_link

from .load import Load, quantile_ms
from .mix import TARGET, Follow
from .whole import make_whole

NAME = "clicks"
# So that the time-outs of the pipeline come and go within a drill.
QUICK = {"CLICKS_DIRECT_AFTER": "2s", "WORKER_TAKEOVER_AFTER": "2s", "WORKER_TIMEOUT_BATCH": "3s",
         "CLICKS_TIMEOUT_BATCH": "3s", "CLICKS_TIMEOUT": "1s"}


@dataclasses.dataclass
class Options:
    rate: float = 300  # redirects a second
    burst: int = 15
    hold: float = 4  # seconds that something stays broken, where it can
    primary_away: float = 30
    seed: int | None = None
    faults: tuple = ()  # all of them, where it is empty


class Redirects:
    """What clients ask for: old links, some much more often than others."""

    def __init__(self, dice, url, count=20):
        self.dice = dice
        self.run = secrets.token_hex(4)
        self.links = []
        for number in range(count):
            target = f"{TARGET}/clicks/{self.run}/{number}"
            status, link = create_link(url, target)
            assert status == 201, (status, link)
            self.links.append((link["shortCode"], target))

    def make(self, number):
        code, target = self.links[min(int(self.dice.expovariate(0.3)), len(self.links) - 1)]
        wanted = Follow(target, code=code)
        agent = "Googlebot/2.1" if number % 10 == 0 else f"Mozilla/5.0 (X11; Linux x86_64) visitor/{number % 40}"
        referrer = f"Referer: https://site{number % 7}.example/\r\n" if number % 2 else ""
        return (f"GET /{code} HTTP/1.1\r\nHost: drill.example\r\nUser-Agent: {agent}\r\n{referrer}\r\n".encode(), wanted)


# --- What is broken ----------------------------------------------------------------------------------------------

class Breaker:
    def __init__(self, stack, workers, load, options, dice, say):
        self.stack = stack
        self.workers = workers
        self.load = load
        self.options = options
        self.dice = dice
        self.say = say
        self.poisoned = 0

    async def blow(self, do):
        """In the middle of a burst of requests."""
        await self.load.next_burst()
        await asyncio.sleep(self.dice.uniform(0, 0.002))
        do()

    async def kill_instance(self):
        """kill -9 of an instance, started again"""
        app = self.dice.choice(self.stack.apps)
        await self.blow(app.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(app.start)

    async def hang_instance(self):
        """SIGSTOP of an instance, that then goes on"""
        app = self.dice.choice(self.stack.apps)
        await self.blow(app.process.pause)
        await asyncio.sleep(self.options.hold / 2)
        app.process.resume()

    async def kill_worker(self):
        """kill -9 of a worker with clicks in its hands, started again"""
        worker = await self._holding()
        await self.blow(worker.kill)
        self._pause(False)
        await asyncio.sleep(self.options.hold / 2)
        await asyncio.to_thread(worker.start)

    async def hang_worker(self):
        """SIGSTOP of a worker with clicks in its hands, for longer than others wait; it then stores what they have stored"""
        worker = await self._holding()
        await self.blow(worker.process.pause)
        self._pause(False)
        await asyncio.sleep(self.options.hold)
        worker.process.resume()

    async def empty_redis(self):
        """Redis killed with clicks in its stream, and started again empty"""
        async with self._idle_workers():
            await self.blow(self.stack.redis.kill)
        self._forget()
        await asyncio.to_thread(self.stack.redis.start)

    async def flush_redis(self):
        """FLUSHALL with clicks in the stream"""
        async with self._idle_workers():
            await self.blow(lambda: self.stack.redis.command("FLUSHALL"))

    async def redis_away(self):
        """Redis away until instances store clicks themselves, then back, empty"""
        await self.blow(self.stack.redis.kill)
        await asyncio.sleep(self.options.hold)
        self._forget()
        await asyncio.to_thread(self.stack.redis.start)

    async def hang_redis(self):
        """SIGSTOP of Redis until instances store clicks themselves, then it goes on with all it had"""
        await self.blow(self.stack.redis.pause)
        await asyncio.sleep(self.options.hold)
        self.stack.redis.resume()

    async def primary_away(self):
        """The primary killed, an instance killed meanwhile; then the primary is back"""
        await self.blow(self.stack.primary.kill)
        await asyncio.sleep(self.options.primary_away / 2)
        app = self.dice.choice(self.stack.apps)
        await self.blow(app.kill)
        await asyncio.to_thread(app.start)
        await asyncio.sleep(self.options.primary_away / 2)
        await asyncio.to_thread(self.stack.primary.start)

    async def hang_primary(self):
        """SIGSTOP of the primary, in the middle of batches"""
        await self.blow(self.stack.primary.pause)
        await asyncio.sleep(self.options.hold)
        self.stack.primary.resume()

    async def poison(self):
        """Records that can never be stored, and entries that are none, between the good ones"""
        for bytes_ in (entry([record(b"bad\xffcode")]), entry([record(b"nul\0code")]), entry([b"\x05\0\x09abcd"]),
                       entry([record(b"fine", at=2**62)]), b"rubbish " + secrets.token_bytes(8)):
            await self.blow(lambda: self.stack.redis.add("holdfast:clicks", "d", bytes_))
            self.poisoned += 1

    async def _holding(self):
        """A worker that has taken clicks and must not store them yet."""
        self._pause(True)
        worker = self.dice.choice(self.workers)
        for _ in range(500):
            if await asyncio.to_thread(worker.metric, "shortener_worker_held_clicks") > 0 and \
                    await asyncio.to_thread(worker.metric, "shortener_queue_paused") == 1:
                return worker
            await asyncio.sleep(0.02)
        raise Failed("no worker holds clicks while storing is paused")

    def _pause(self, is_paused):
        self.stack.primary.sql(f"UPDATE click_control SET is_paused = {is_paused}, why = 'drill'")

    @contextlib.asynccontextmanager
    async def _idle_workers(self):
        """So that something is in the stream."""
        for worker in self.workers:
            worker.process.pause()
        await asyncio.sleep(1)
        yield
        for worker in self.workers:
            worker.process.resume()

    def _forget(self):
        shutil.rmtree(os.path.join(self.stack.data, "appendonlydir"), ignore_errors=True)


FAULTS = {name: getattr(Breaker, name) for name in (
    "kill_instance", "hang_instance", "kill_worker", "hang_worker", "empty_redis", "flush_redis", "redis_away",
    "hang_redis", "primary_away", "hang_primary", "poison")}


def record(code, at=None):
    """As app/clicks/record.h has it."""
    body = struct.pack("<BBBqHBBB", 1, 0, 1, int(time.time() * 1000) if at is None else at, 0, 0, 0, 0)
    body += bytes([len(code)]) + code + b"\0"
    return struct.pack("<H", len(body)) + body


def entry(records):
    """As app/clicks/entry.h has it, of an instance that nobody is."""
    return b"\x01" + uuid.uuid4().bytes + struct.pack("<QQI", 1, 1, len(records)) + b"".join(records)


# --- The books ---------------------------------------------------------------------------------------------------

BOOKS = {
    "clicks": "SELECT code, count(*) FROM clicks WHERE {which} GROUP BY 1",
    "totals": "SELECT code, total FROM link_visits WHERE {which}",
    "quarters": "SELECT code, sum(n) FROM click_quarters WHERE {which} GROUP BY 1",
    "referrers": "SELECT code, sum(n) FROM click_daily WHERE dim = 'referrer' AND {which} GROUP BY 1",
    "devices": "SELECT code, sum(n) FROM click_daily WHERE dim = 'device' AND {which} GROUP BY 1",
}


def read_books(primary, codes):
    """All of them at one moment: {book: {code: clicks}}."""
    # A command line has its bound: then everybody's are read.
    which = f"code = ANY('{{{','.join(codes)}}}')" if len(codes) < 500 else "true"
    queries = (f"SELECT '{name}', * FROM ({query.format(which=which)}) AS {name}" for name, query in BOOKS.items())
    books = {name: {} for name in BOOKS}
    for line in primary.sql(" UNION ALL ".join(queries)).splitlines():
        name, code, count = line.split("|")
        books[name][code] = int(count)
    return books


def waiting(primary):
    """Clicks that instances say are not stored, and dead letters."""
    answer = primary.sql("SELECT coalesce((SELECT sum(waiting) FROM click_journals WHERE "
                         "reported_at > now() - interval '5 seconds'), 0), (SELECT count(*) FROM dead_clicks)")
    return tuple(int(word) for word in answer.split("|"))


def second_worker(stack):
    """Beside the stack's own; started."""
    return Worker("worker2", stack.logs, ports.free_port(), stack.app_env(), stack.user,
                  os.path.join(stack.data, "bin", "shortener")).start()


def run(stack, options, say=print):
    """Breaks everything once, in an order of the dice; the figures, a dict that JSON can hold."""
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    dice = random.Random(seed)
    mix = Redirects(dice, stack.url())
    load = Load(stack.lb.public, mix, options.rate, options.burst)
    second = second_worker(stack)
    breaker = Breaker(stack, [stack.worker, second], load, options, dice, say)
    names = list(options.faults or FAULTS)
    dice.shuffle(names)
    dead_before = waiting(stack.primary)[1]
    say(f"{options.rate:g} redirects a second; seed {seed}")

    async def script():
        await asyncio.sleep(1)
        for name in names:
            say(f"{name}: {FAULTS[name].__doc__}")
            await FAULTS[name](breaker)
            await asyncio.sleep(1.5)
        await asyncio.sleep(1)

    try:
        asyncio.run(load.run(script()))
    finally:
        make_whole(stack)
        second.process.resume()
        if not second.process.is_running():
            second.start()
    began = time.monotonic()
    answered = collections.Counter(one.wanted.code for one in load.entries if one.error is None)
    failed = collections.Counter(one.wanted.code for one in load.entries if one.error is not None)
    codes = [code for code, _ in mix.links]
    books, wrong = settle(stack, codes, answered, failed, dead_before + breaker.poisoned)
    settled = time.monotonic() - began
    second.stop()
    lost, duplicated = miscounted(books, codes, answered, failed)
    if sum(failed.values()):
        wrong.append(f"{sum(failed.values())} redirects failed")
    return {
        "drill": NAME, "seed": seed, "faults": names, "rate": options.rate,
        "redirects": len(load.entries), "answered": sum(answered.values()), "failed": sum(failed.values()),
        "errors": dict(collections.Counter(one.error for one in load.entries if one.error is not None).most_common(5)),
        "counted": {name: sum(book.values()) for name, book in books.items()}, "lost": lost, "duplicated": duplicated,
        "poisoned": breaker.poisoned, "dead_letters": waiting(stack.primary)[1] - dead_before,
        "settled_s": round(settled, 1), "p99_ms": quantile_ms(load.entries, 0.99),
        "slowest_ms": quantile_ms(load.entries, 1), "wrong": wrong, "held": not wrong,
    }


def miscounted(books, codes, answered, failed):
    """Clicks that a book lacks, and that it has too often."""
    lost = duplicated = 0
    for book in books.values():
        for code in codes:
            lost += max(0, answered[code] - book.get(code, 0))
            duplicated += max(0, book.get(code, 0) - answered[code] - failed[code])
    return lost, duplicated


def settle(stack, codes, answered, failed, dead, seconds=60):
    """Waits until all is counted; the books, and what is wrong with them."""
    def differences():
        found = []
        for name, book in books.items():
            for code in codes:
                if not answered[code] <= book.get(code, 0) <= answered[code] + failed[code]:
                    found.append(f"{name} of {code}: {book.get(code, 0)} counted, {answered[code]} answered")
        return found

    def is_settled():
        nonlocal books
        books = read_books(stack.primary, codes)
        return not differences() and waiting(stack.primary) == (0, dead)

    books = {}
    try:
        wait_until(is_settled, seconds, "clicks are not all counted")
        time.sleep(1)  # what would be counted twice has come by now
        is_settled()
    except Failed:
        pass
    wrong = differences()
    left, letters = waiting(stack.primary)
    if left:
        wrong.append(f"{left} clicks wait")
    if letters != dead:
        wrong.append(f"{letters} dead letters, {dead} expected")
    return books, wrong[:10]


def show(figures, say):
    for name in ("redirects", "answered", "failed", "counted", "lost", "duplicated", "poisoned", "dead_letters",
                 "settled_s", "p99_ms", "slowest_ms"):
        say(f"  {name.replace('_', ' '):<13}{figures[name]}")
    for error, count in figures["errors"].items():
        say(f"  {count} × {error}")
    say("  held: every redirect answered was counted once" if figures["held"] else
        "  DID NOT HOLD: " + "; ".join(figures["wrong"]))


def repeat(stack, options, runs, file, say):
    held = True
    for number in range(1, runs + 1):
        say(f"\n{NAME}, run {number} of {runs}")
        figures = run(stack, options, say=lambda text: say("  " + text))
        show(figures, say)
        held = held and figures["held"]
        if file:
            with open(file, "a") as out:
                out.write(json.dumps(figures) + "\n")
    return held
