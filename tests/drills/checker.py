"""The checker: a random history of links made, read, changed and deleted, while faults come and go, each answer judged
by what was possible.

Every code has one writer at a time, so its writes have an order; readers ask for it through lb meanwhile. An answer is
possible where it is the word of a write that had been sent by then, and that no later one had put out of date for longer
than the promise allows:

- a link that was made is found from the moment in which its maker was told (bound: none);
- a change or deletion is everywhere within a second (BOUND), with or without Redis and the replica; while the primary
  is away, within the time that a copy lives (BOUND_WITHOUT_FEED);
- 404 is right only for what nobody was told is there; what was never made is never found;
- "not now" (5xx) is right only while the primary is away, or an instance that hung has not heard yet that it is back.

A write whose outcome its writer was not told of may have happened or not, for ever: that code is written no more.
"""
import collections
import http.client
import json
import random
import secrets
import threading
import time
import uuid

from stack.patience import patient
from .history import BOUND, DELETED, OK, PENDING, UNKNOWN, Code, Faults, possible
from .whole import make_whole, replay

NAME = "checker"


class Http:
    """One thread's connection to lb."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, method, path, body=None, headers=None):
        """Status, Location; status 0 where nothing whole came back."""
        text = None if body is None else json.dumps(body)
        fields = {"Content-Type": "application/json", **(headers or {})} if body is not None else headers or {}
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patient(15))
                self.connection.request(method, path, text, fields)
                answer = self.connection.getresponse()
                answer.read()
                return answer.status, answer.getheader("Location")
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 2 or method != "GET":
                    return 0, None


class History:
    def __init__(self, port, seed, say):
        self.port = port
        self.say = say
        self.seed = seed
        self.faults = Faults()
        self.codes = []
        self.absent = [f"never-{secrets.token_hex(6)}" for _ in range(20)]
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.stale = []  # how long answers that were right by the bound had been out of date
        self.wrong = []
        self.late = []
        self.is_over = threading.Event()

    # --- Judging ---

    def judge(self, code, sent, answered, status, location):
        if status in (0, 502, 503, 504):
            if not self.faults.may_fail(sent, answered):
                self.find(f"{code.name}: {status or 'no answer'}, though the primary was there", code, sent, answered)
            return
        said = location if status == 302 else str(status)
        with code.lock:
            values = possible(code.writes, sent, answered, self.faults.bound_of(sent))
        if said not in values:
            self.find(f"{code.name}: said {said}; possible was {sorted(values)}", code, sent, answered)
        elif values[said] > 0 and not self.faults.excuse(values[said], sent):
            with self.lock:
                self.stale.append(values[said])
            if values[said] > BOUND:
                self.find(f"{code.name}: said {said}, {values[said]:.2f} s out of date", code, sent, answered, self.late)

    def find(self, what, code, sent, answered, into=None):
        with code.lock:
            writes = [f"{write.value} {write.state} sent {write.sent - sent:+.3f}"
                      + (f" told {write.answered - sent:+.3f}" if write.state != PENDING else "") for write in code.writes]
        with self.faults.lock:
            broken = [f"{kind} from {begin - sent:+.1f} to {end - sent:+.1f}" for kind, begin, end in self.faults.past
                      if end > sent - 10]
        with self.lock:
            (self.wrong if into is None else into).append(f"{what} (took {answered - sent:.3f} s; writes: {writes}; broken: {broken})")

    # --- Threads ---

    def writer(self, number):
        dice = random.Random(f"{self.seed} writer {number}")
        http_ = Http(self.port)
        code, left = None, 0
        while not self.is_over.wait(dice.uniform(0.005, 0.05)):
            if code is None or left == 0 or code.is_frozen or code.current() == DELETED:
                code, left = Code(f"chk-{secrets.token_hex(5)}"), dice.randint(1, 12)
                with self.lock:
                    self.codes.append(code)
                    del self.codes[:-400]
                self.is_over.wait(dice.choice((0, 0, 0.02, 0.3)))  # perhaps it is asked for before it is there
                self.write(http_, code, "POST", dice)
            else:
                left -= 1
                self.write(http_, code, "DELETE" if dice.random() < 0.2 else "PATCH", dice)

    def write(self, http_, code, method, dice):
        value = DELETED if method == "DELETE" else f"https://example.com/{uuid.UUID(int=dice.getrandbits(128))}"
        if method == "POST":
            body, path = {"longUrl": value, "customSlug": code.name}, "/api/v1/links"
        else:
            body, path = ({"longUrl": value} if method == "PATCH" else None), f"/api/v1/links/{code.name}"
        write = code.begin(value)
        status, _ = http_.ask(method, path, body, {"Idempotency-Key": f'"{uuid.UUID(int=dice.getrandbits(128))}"'})
        is_ok = status == {"POST": 201, "PATCH": 200, "DELETE": 204}[method]
        code.end(write, OK if is_ok else UNKNOWN)
        self.counts[f"{method} {status}"] += 1
        if not is_ok and not self.faults.may_fail(write.sent, write.answered):
            self.find(f"{code.name}: {method} came to {status or 'no answer'}", code, write.sent, write.answered)

    def reader(self, number):
        dice = random.Random(f"{self.seed} reader {number}")
        http_ = Http(self.port)
        while not self.is_over.wait(dice.uniform(0.001, 0.02)):
            with self.lock:
                recent = self.codes[-12:] if dice.random() < 0.7 else self.codes
                code = dice.choice(recent) if recent and dice.random() > 0.03 else Code(dice.choice(self.absent))
            sent = time.monotonic()
            status, location = http_.ask("GET", f"/{code.name}")
            self.counts[f"GET {status}"] += 1
            self.judge(code, sent, time.monotonic(), status, location)


# --- Faults -----------------------------------------------------------------------------------------------------

class Breaker:
    """Breaks parts and mends them."""

    def __init__(self, stack, faults, dice, say):
        self.stack = stack
        self.faults = faults
        self.dice = dice
        self.say = say

    def run(self, until, kinds):
        while time.monotonic() < until - 1:
            chosen = self.dice.sample(kinds, k=min(len(kinds), self.dice.choice((1, 1, 2, 3))))
            if any(len(group & set(chosen)) > 1 for group in APART):
                continue
            broken = []
            try:
                for kind in chosen:
                    self.say("  broken: " + kind)
                    broken.append((kind, self.faults.begin(kind), BREAK[kind](self)))
                    time.sleep(self.dice.uniform(0, 0.5))
                time.sleep(self.dice.uniform(0.5, 4))
            finally:
                for kind, fault, mend in broken:
                    mend()
                    fault[2] = time.monotonic()
            time.sleep(self.dice.uniform(0.2, 1.5))

    def pause_replay(self):
        replay(self.stack, "pause")
        return lambda: replay(self.stack, "resume")

    def hang(self, part):
        part.pause()
        return part.resume

    def kill(self, part):
        part.kill()
        return part.start

    def an_app(self):
        return self.dice.choice(self.stack.apps).process

    def kill_app(self):
        app = self.dice.choice(self.stack.apps)
        app.kill()
        app.process.wait()
        return app.start

    def empty_redis(self):
        if self.stack.redis.process.is_running():
            try:
                self.stack.redis.command("FLUSHALL")
            except OSError:
                pass  # it hangs
        return lambda: None


BREAK = {
    "replica-replay-pause": Breaker.pause_replay,
    "hang-replica": lambda self: self.hang(self.stack.replica),
    "kill-replica": lambda self: self.kill(self.stack.replica),
    "hang-redis": lambda self: self.hang(self.stack.redis),
    "kill-redis": lambda self: self.kill(self.stack.redis),
    "empty-redis": Breaker.empty_redis,
    "kill-app": Breaker.kill_app,
    "hang-app": lambda self: self.hang(self.an_app()),
    "kill-primary": lambda self: self.kill(self.stack.primary),
}
# One part is never broken in two ways at once, and one instance always serves.
APART = ({"replica-replay-pause", "hang-replica", "kill-replica"}, {"hang-redis", "kill-redis", "empty-redis"},
         {"kill-app", "hang-app"})


# --- Faults put in on purpose, which the checker must find --------------------------------------------------------

def mute_feed(stack):
    """Changes are not told, and Redis is away: copies live until their time is over."""
    stack.primary.sql("ALTER TABLE links DISABLE TRIGGER links_changed")
    stack.redis.kill()

    def mend():
        stack.redis.start()
        stack.primary.sql("ALTER TABLE links ENABLE TRIGGER links_changed")
    return mend


def lose_links(stack):
    """Links vanish without a trace, from every store."""
    over = threading.Event()

    def work():
        while not over.wait(0.1):
            stack.primary.sql("DELETE FROM links WHERE code LIKE 'chk-%' AND created_at < now() - interval '100 ms'")
    thread = threading.Thread(target=work)
    thread.start()
    return lambda: (over.set(), thread.join())


def forge_redis(stack):
    """Redis says of every link that it leads elsewhere."""
    over = threading.Event()

    def work():
        while not over.wait(0.02):
            for code in stack.primary.sql("SELECT code FROM links WHERE code LIKE 'chk-%' ORDER BY created_at DESC "
                                          "LIMIT 20").split():
                stack.redis.command("SET", f"holdfast:link::{code}", "+https://forged.example/")
    thread = threading.Thread(target=work)
    thread.start()
    return lambda: (over.set(), thread.join())


SABOTAGE = {"mute-feed": mute_feed, "lose-links": lose_links, "forge-redis": forge_redis}


# --- The whole ----------------------------------------------------------------------------------------------------

def run(stack, seconds, kinds=tuple(BREAK), sabotage=None, seed=None, say=print, writers=4, readers=8):
    """Returns figures, a dict; `held` is the verdict."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    history = History(stack.lb.public, seed, say)
    breaker = Breaker(stack, history.faults, random.Random(f"{seed} faults"), say)
    say(f"checker: {seconds:g} s, seed {seed}, faults: {', '.join(kinds) or 'none'}"
        + (f", put in on purpose: {sabotage}" if sabotage else ""))
    threads = [threading.Thread(target=history.writer, args=(i,)) for i in range(writers)]
    threads += [threading.Thread(target=history.reader, args=(i,)) for i in range(readers)]
    mend = SABOTAGE[sabotage](stack) if sabotage else lambda: None
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    try:
        if kinds:
            breaker.run(begun + seconds, list(kinds))
        while time.monotonic() < begun + seconds and not (sabotage and history.wrong):  # one is enough
            time.sleep(0.05)
    finally:
        history.is_over.set()
        for thread in threads:
            thread.join()
        mend()
        make_whole(stack)
    stale = sorted(history.stale)
    return {"seed": seed, "seconds": round(time.monotonic() - begun, 1), "counts": dict(sorted(history.counts.items())),
            "faults": dict(collections.Counter(kind for kind, _, _ in history.faults.past)),
            "stale": len(stale), "late": history.late[:50],
            "stalest_ms": round(stale[-1] * 1000) if stale else 0,
            "wrong": history.wrong, "held": not history.wrong}


def show(figures, say=print):
    say("  " + ", ".join(f"{count} × {what}" for what, count in figures["counts"].items()))
    say("  faults: " + (", ".join(f"{count} × {what}" for what, count in figures["faults"].items()) or "none"))
    say(f"  answers that a change had put out of date: {figures['stale']}, by at most {figures['stalest_ms']} ms; "
        f"by more than {BOUND:g} s: {len(figures['late'])} (while the primary and all instances were there)")
    for late in figures["late"][:5]:
        say("  late " + late)
    for wrong in figures["wrong"][:20]:
        say("  WRONG " + wrong)
    say("  held" if figures["held"] else f"  DID NOT HOLD: {len(figures['wrong'])} answers were not possible")
