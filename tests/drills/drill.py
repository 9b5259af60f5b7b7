"""What all drills share: a steady load, something broken meanwhile, and three accounts of what came of it.

A drill is a module, or an object, with NAME, ABOUT, SECONDS (how long it breaks things), EJECTS (each blow must put its
instance out of service), and break_it(scene, seconds), a coroutine. It may have FRESH (see mix.py) and LINKS, how many
there are before; is_promised(entry, outages): whether a request that failed was answered as was promised for that time;
and JUDGE(stack, entries): what else is wrong afterwards, in words.
"""
import asyncio
import collections
import dataclasses
import random
import secrets
import time

from .accounts import LbAccount, differences, judge_rows, settled_rows
from .load import Load, quantile_ms
from .mix import Mix
from .scene import Changes, Scene
from .whole import make_whole


@dataclasses.dataclass
class Options:
    rate: float = 300  # requests a second
    burst: int = 15  # of them at a time
    posts: float = 0.3  # their share
    lead: float = 2  # seconds of load before and after
    seconds: float | None = None  # between: the drill's own where None
    seed: int | None = None
    links: int | None = None  # how many there are before: the drill's own number where None


@dataclasses.dataclass
class Front:
    """What stands before the instances. `lb` is None where it is another than ours, which tells us nothing."""
    name: str
    port: int
    lb: object = None


@dataclasses.dataclass
class Course:
    """What happened when, on the load's clock; `wall` is what to add for the time of day."""
    entries: list
    outages: list
    deeds: list
    wall: float


def run(drill, stack, options, say=print, front=None):
    """Runs a drill once and returns its figures, a dict that JSON can hold; `held` is the verdict."""
    return observe(drill, stack, options, say, front)[0]


def observe(drill, stack, options, say=print, front=None):
    """Likewise, and its course beside them."""
    front = front or Front("lb", stack.lb.public, stack.lb)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    dice = random.Random(seed)
    mix = Mix(options.posts, dice, getattr(drill, "FRESH", 0.5))
    mix.prepare(f"http://127.0.0.1:{front.port}", options.links or getattr(drill, "LINKS", 50))
    load = Load(front.port, mix, options.rate, options.burst)
    scene = Scene(stack, load, dice, say)
    account = LbAccount(front.lb) if front.lb else None
    changes = Changes(front.lb) if front.lb else None
    say(f"{options.rate:g} requests a second, {options.posts:.0%} of them POSTs, through {front.name}; seed {seed}")
    try:
        asyncio.run(perform(drill, scene, options, changes))
    finally:
        make_whole(stack, front.lb)
    figures = {
        "drill": drill.NAME, "front": front.name, "seed": seed, "rate": options.rate, "posts_share": options.posts,
        **clients_figures(drill, load, scene.outages),
        **judge_rows(load.entries, settled_rows(stack, mix.run)),
        "under_way": [one.out.under_way for one in scene.outages],
    }
    if front.lb:
        changes.collect()
        figures.update(lb_figures([one for one in scene.outages if one.name in front.lb.states()], changes, account.read(),
                                  load.entries))
    figures["wrong"] = what_is_wrong(drill, figures)
    if judge := getattr(drill, "JUDGE", None):
        figures["wrong"] += judge(stack, load.entries)
    figures["held"] = not figures["wrong"]
    return figures, Course(load.entries, scene.outages, scene.deeds, time.time() - time.monotonic())


async def perform(drill, scene, options, changes):
    async def script():
        await asyncio.sleep(options.lead)
        await drill.break_it(scene, drill.SECONDS if options.seconds is None else options.seconds)
        await asyncio.sleep(options.lead)

    watching = asyncio.create_task(changes.watch()) if changes else None
    try:
        await scene.load.run(script())
    finally:
        if watching:
            watching.cancel()


# --- Figures -----------------------------------------------------------------------------------------------------

AFTERMATH = 1.0  # seconds after the last return that still count as "during"


def clients_figures(drill, load, outages):
    unanswered = [entry for entry in load.entries if entry.error is not None]
    is_promised = getattr(drill, "is_promised", lambda entry, outages: False)
    refused = [entry for entry in unanswered if is_promised(entry, outages)]
    first, last = outages[0].out.at, max(one.back.at for one in outages) + AFTERMATH
    phases = {
        "before": [entry for entry in load.entries if entry.done < first],
        "during": [entry for entry in load.entries if entry.done >= first and entry.due < last],
        "after": [entry for entry in load.entries if entry.due >= last],
    }
    return {
        "requests": len(load.entries),
        "posts": sum(entry.wanted.is_post for entry in load.entries),
        "failed": len(unanswered) - len(refused),
        "refused": len(refused),
        "silent_s": {"GET": longest_silence(load.entries, False), "POST": longest_silence(load.entries, True)},
        "errors": dict(collections.Counter(f"{entry.error} ({name})" for name, entries in phases.items()
                                           for entry in entries if entry.error is not None).most_common()),
        "slowest_ms": quantile_ms(load.entries, 1),
        "client_late_ms": {share: round(sorted(entry.begun - entry.due for entry in load.entries)[
            int(float(share) * (len(load.entries) - 1))] * 1000, 1) for share in ("0.5", "0.99", "1")},
        **{name: {"requests": len(entries), "p50_ms": quantile_ms(entries, 0.5), "p95_ms": quantile_ms(entries, 0.95),
                  "p99_ms": quantile_ms(entries, 0.99), "slowest_ms": quantile_ms(entries, 1)}
           for name, entries in phases.items()},
    }


def longest_silence(entries, is_post):
    """The longest time in which no such request was answered as it should be, in seconds."""
    done = sorted(entry.done for entry in entries if entry.error is None and entry.wanted.is_post == is_post)
    return round(max((later - earlier for earlier, later in zip(done, done[1:])), default=0), 2)


def lb_figures(outages, changes, counted, entries):
    def next_of(outage):
        return min((other.out.wall for other in outages if other.name == outage.name and other.out.wall > outage.out.wall),
                   default=float("inf"))
    return {
        "retried": counted.get("retried"),
        "saved": counted["saved_by_retry"],
        "eject_ms": [changes.after(one.out, next_of(one), lambda state: state != "healthy") for one in outages],
        "back_ms": [changes.after(one.back, next_of(one), lambda state: state == "healthy") for one in outages],
        "ledger": {name: counted[name] for name in ("requests", "answered", "local_error", "cut", "client_gone")},
        "disagreements": differences(entries, counted),
    }


def what_is_wrong(drill, figures):
    """In words; an empty list where nobody noticed anything."""
    wrong = [f"{figures[name]} {words}" for name, words in (
        ("failed", "failed"), ("duplicated", "made twice"), ("lost", "answered and lost"),
        ("wrong_code", "answered with another code than was kept"), ("of_nobody", "made that nobody asked for"),
    ) if figures[name]]
    for name, (clients, lb) in figures.get("disagreements", {}).items():
        wrong.append(f"the ledger's {name}: {lb}, of the clients {clients}")
    if drill.EJECTS and None in figures.get("eject_ms", []):
        wrong.append("lb did not notice an instance's end")
    return wrong
