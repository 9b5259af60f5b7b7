"""The drill of capacity: the highest rate within the objectives of docs/ops/slo.md, with and without Redis and with and
without the cache in the instances; and what users see beyond it.

An open-loop load, arriving by chance, goes up step by step until a step does not hold, and then between the last one
that did and the first that did not. docs/ops/capacity.md is made of it (capacity_report.py).
"""
import contextlib
import dataclasses
import json
import math
import os
import random
import shutil
import statistics
import subprocess

from bench.app_parts import TARGET, cpu_seconds, fill_redis, insert_links, precedence, sources
from stack.process import wait_until
from stack.programs import built
from stack.stack import follow_once

from .chaos import machine, revision

NAME = "capacity"
ABOUT = "the highest rate within the objectives, with and without Redis and the cache in the instances; and beyond it"
SLOW_MS = 50          # docs/ops/slo.md: this share of redirects may take longer
SLOW_SHARE = 0.001
FAILED_SHARE = 0.0005  # and this share of all requests fail
# As small as the program has it: a link in memory is looked up anew after 10 ms.
NO_MEMORY = {"CACHE_SIZE": "64KiB", "CACHE_TTL": "10ms", "CACHE_TTL_UNPROVEN": "10ms"}

NO_CLICKS = {"CLICKS_RECORD": "false"}


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    has_redis: bool
    has_memory: bool
    has_clicks: bool = True


ROWS = (Row("memory and Redis", True, True), Row("Redis only", True, False), Row("memory only", False, True),
        Row("neither: the replica alone", False, False))
# What redirects cost by themselves: storing clicks takes more of the machine than they do.
QUIET = tuple(dataclasses.replace(row, has_clicks=False) for row in ROWS)


@dataclasses.dataclass
class Options:
    rounds: int = 1
    seconds: float = 10      # of each step, as measured
    warm: float = 2          # before it, not measured
    links: int = 500_000
    posts: float = 0.01
    start: float = 6000      # requests a second of the first step
    most: float = 200_000    # and never more
    precision: float = 0.06  # the limit is known to this share
    spans: tuple = (6, 10, 30)  # seconds before, while and after more comes than it carries
    recovered: int = 24      # seconds after it: what has piled up is answered by then, and the objective kept
    seed: int | None = None
    rows: tuple = ROWS
    has_precedence: bool = False


def add_options(parser):
    parser.add_argument("--no-cache", action="store_true", help="capacity: only without Redis, without the cache in the instances, "
                        "and without both; writes no report")
    parser.add_argument("--no-clicks", action="store_true", help="capacity: the same once more where clicks are not recorded")


def chosen(options):
    """Of what ops/drill was told."""
    own = Options(rounds=options.runs, seed=options.seed, has_precedence=options.precedence)
    rows = ROWS + (QUIET if options.no_clicks else ())
    return dataclasses.replace(own, seconds=options.seconds or own.seconds, links=options.links or own.links,
                               rows=tuple(row for row in rows if not (options.no_cache and row.has_redis and row.has_memory)))


# --- The search ----------------------------------------------------------------------------------------------------

def highest(holds, start, precision, most=math.inf, factor=1.5, steps_max=24):
    """The highest rate for which `holds(rate)` is true, to that precision; 0 where none was found. Up (or down) by the
    factor until it changes, then in the middle of the two, as ratios go. Nothing above `most` is tried."""
    low, high = 0.0, math.inf
    rate = start
    for _ in range(steps_max):
        if holds(rate):
            low = rate
        else:
            high = rate
        if low >= most or (low and high <= low * (1 + precision)):
            break
        rate = min(most, low * factor if high == math.inf else high / factor if not low else math.sqrt(low * high))
    return low


def is_within(step):
    """Do its figures keep the objectives?"""
    return step["slow_share"] <= SLOW_SHARE and step["failed_share"] <= FAILED_SHARE


# --- The system, row by row ----------------------------------------------------------------------------------------

def prepare(stack, links):
    """So many links, and stores with the memory that a server of one's own would have."""
    for one in (stack.replica, stack.primary):
        one.sql("ALTER SYSTEM SET shared_buffers = '256MB'")
        one.stop()
    stack.primary.start()
    stack.replica.start()
    for first in range(1, links + 1, 250_000):
        insert_links(stack, first, min(first + 249_999, links))
    stack.primary.sql("VACUUM ANALYZE links")
    end = stack.primary.sql("SELECT pg_current_wal_lsn()")
    wait_until(lambda: stack.replica.sql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t", 300, "the replica does not follow")


def set_row(stack, row, links):
    """Redis is there and full, or really dead; the instances start again, with their memory or without."""
    if row.has_redis and not stack.redis.process.is_running():
        shutil.rmtree(os.path.join(stack.data, "appendonlydir"), ignore_errors=True)  # reading it would take as long as filling it
        stack.redis.start()
    elif not row.has_redis and stack.redis.process.is_running():
        stack.redis.kill()
        stack.redis.process.wait()
    if row.has_redis:
        stack.redis.command("CONFIG", "SET", "maxmemory", "512mb")
        fill_redis(stack.redis.port, 1, links)
    for app in stack.apps:
        app.stop()
        for name in (*NO_MEMORY, *NO_CLICKS):
            app.process.env.pop(name, None)
        app.process.env.update({**({} if row.has_memory else NO_MEMORY), **({} if row.has_clicks else NO_CLICKS)})
        app.start()
    for app in stack.apps:
        wait_until(lambda app=app: is_well(app, row), 60, f"{app.process.name} is not well")
    wait_until(lambda: set(stack.lb.states().values()) == {"healthy"}, 15, "lb does not take all instances back")
    if row.has_clicks:
        find_way_of_clicks(stack)


def find_way_of_clicks(stack):
    """Until they are stored: without Redis that begins when it has been away for half a minute, and till then all else is cheaper."""
    for app in stack.apps:
        status = follow_once(f"http://127.0.0.1:{app.port}/bench000000000001")[0]
        assert status == 302, f"{app.process.name} answered {status}"
    settle(stack)


def is_well(app, row):
    status, told = app.health()
    return status == 200 and (told["status"] == "pass" or not row.has_redis)


def parts(stack):
    return {"lb": stack.lb.process, **{app.process.name: app.process for app in stack.apps}, "Redis": stack.redis.process,
            "replica": stack.replica.process, "primary": stack.primary.process, "worker": stack.worker.process}


class Meter:
    """What the system has used and done since this was made."""

    def __init__(self, stack):
        self.stack = stack
        self.before = self._read()

    def _read(self):
        return {"cpu": {name: cpu_seconds(process.pid) if process.is_running() else 0.0 for name, process in parts(self.stack).items()},
                "sources": [sources(app) for app in self.stack.apps], "waiting": clicks_waiting(self.stack), "busy": busy_seconds(),
                "retried": self.stack.lb.metric("lb_retries_total"), "local": self.stack.lb.metric("lb_local_errors_total")}

    def read(self):
        now, before = self._read(), self.before
        came = {name: sum(new.get(name, 0) - old.get(name, 0) for new, old in zip(now["sources"], before["sources"]))
                for name in ("cache", "redis", "replica", "primary")}
        return {"cpu": {name: now["cpu"][name] - before["cpu"][name] for name in now["cpu"]},
                "came": {name: count / max(1, sum(came.values())) for name, count in came.items()},
                "put_off": now["waiting"] - before["waiting"], "busy": now["busy"] - before["busy"],
                "retried": now["retried"] - before["retried"], "local": now["local"] - before["local"]}


def clicks_waiting(stack):
    return sum(app.metric("shortener_click_journal_waiting") for app in stack.apps)


def busy_seconds():
    """Of all processors, by whomever."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = map(int, stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def load(port, pieces, options, seed):
    """The client's account; `pieces` are (rate, seconds). It goes before all else: it is no part of what is measured."""
    client = subprocess.Popen(
        [built("open_load"), str(port), *(f"{rate:.1f}:{seconds:g}" for rate, seconds in pieces), f"--links={options.links}",
         f"--target={TARGET}", f"--posts={options.posts}", f"--seed={seed}", f"--slow={SLOW_MS}"],
        stdout=subprocess.PIPE, text=True, start_new_session=True)
    if options.has_precedence:
        with contextlib.suppress(OSError), open(f"/proc/{client.pid}/autogroup", "w") as out:
            out.write("-20")
    told = client.communicate()[0]
    assert client.returncode == 0, "the load failed"
    return json.loads(told)


def settle(stack):
    """Until the clicks are stored: each step begins with the same."""
    wait_until(lambda: clicks_waiting(stack) == 0, 180, "clicks are not stored")


def step(stack, rate, options, seed):
    """One rate for a while: its figures."""
    settle(stack)
    load(stack.lb.public, [(rate, options.warm)], options, seed)
    meter = Meter(stack)
    told = load(stack.lb.public, [(rate, options.seconds)], options, seed + 1)
    did = meter.read()
    cpu = {**did.pop("cpu"), "client": told["cpu_seconds"]}
    good = sum(told["kinds"].get(kind, 0) for kind in ("302", "201"))
    del told["by_second"]
    figures = {**told, **did, "rate": rate, "failed_share": 1 - good / told["requests"],
               "slow_share": told["slow"] / max(1, told["redirects"]),
               "cores": {name: seconds / told["seconds"] for name, seconds in cpu.items()},
               "us": {name: seconds / told["requests"] * 1e6 for name, seconds in cpu.items()},
               "busy_cores": did["busy"] / told["seconds"]}
    figures["holds"] = is_within(figures)
    return figures


def search(stack, row, start, options, dice, say):
    """All steps of one search, and its limit."""
    steps = []

    def holds(rate):
        for attempt in ("", " (again)", " (again)"):  # what else the machine does can only make it worse
            one = step(stack, rate, options, dice.randrange(1_000_000))
            steps.append(one)
            say(f"  {rate:>8,.0f}/s{attempt}: p50 {one['p50_ms']:.1f} ms, p99 {one['p99_ms']:.1f}, p99.9 {one['p999_ms']:.1f}, "
                f"slow {one['slow_share']:.2%}, failed {one['failed_share']:.2%}, {one['busy_cores']:.2f} cores, client's "
                f"p99.9 {one['late_p999_ms']:.1f} ms late: {'holds' if one['holds'] else 'does not hold'}")
            if one["holds"]:
                return True
        return False
    return highest(holds, start, options.precision, options.most), steps


# --- Beyond it -----------------------------------------------------------------------------------------------------

CALM, BEYOND = 0.5, 1.5       # of the limit
ORDERLY = {"302", "201", "503, Retry-After", "429, Retry-After"}


def beyond(stack, limit, options, seed):
    """Half as much again as the limit, for a while: what users see then, and afterwards."""
    settle(stack)
    meter = Meter(stack)
    told = load(stack.lb.public, list(zip((limit * CALM, limit * BEYOND, limit * CALM), options.spans)), options, seed)
    return {"rate": limit * BEYOND, "limit": limit, "kinds": told["kinds"], "by_second": told["by_second"],
            "slowest_ms": told["slowest_ms"], **meter.read(), **judge_beyond(told["kinds"], told["by_second"], limit, options)}


def judge_beyond(kinds, by_second, limit, options):
    """`by_second`: requests that were due, how many were answered as they should be, p50, p99. All that is wrong, in words."""
    wrong = [f"{count:,} × {kind}" for kind, count in kinds.items() if kind not in ORDERLY]
    before, length, _ = options.spans
    during, after = by_second[before:before + length], by_second[before + length:sum(options.spans)]
    good = sum(row[1] for row in during) / length
    if good < limit / 2:
        wrong.append(f"only {good:,.0f} a second were answered as they should be")
    bad = [number for number, row in enumerate(after) if row[1] < row[0] or row[3] > SLOW_MS]
    recovered = max(bad, default=-1) + 1
    if recovered > options.recovered:
        wrong.append(f"not within the objective {options.recovered} s after it")
    return {"good_a_second": good, "p50_ms": statistics.median(row[2] for row in during), "p99_ms": max(row[3] for row in during),
            "recovered_s": recovered, "wrong": wrong}


# --- All of it -----------------------------------------------------------------------------------------------------

def run(stack, options, say=print):
    """Figures, a dict that JSON can hold; `held` is the verdict. The system must be prepared."""
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    dice = random.Random(seed)
    found = {row: {"name": row.name, "limits": [], "searches": []} for row in options.rows}
    loads = []
    say(f"{options.links:,} links, {options.posts:.0%} new links, steps of {options.seconds:g} s; seed {seed}")
    for number in range(1, options.rounds + 1):
        for row in options.rows if number == 1 else (row for row in options.rows if row.has_clicks):
            one = found[row]
            say(f"round {number}, {row.name}" + ("" if row.has_clicks else ", clicks not recorded"))
            set_row(stack, row, options.links)
            with precedence([process.pid for process in parts(stack).values() if process.is_running()], options.has_precedence,
                            nice=-20):
                limit, steps = search(stack, row, one["limits"][-1] * 0.85 if one["limits"] else options.start, options, dice, say)
                one["limits"].append(limit)
                one["searches"].append(steps)
                loads.append(os.getloadavg()[0])
                say(f"  limit {limit:,.0f}/s")
                if number == options.rounds and row.has_clicks:
                    one["beyond"] = beyond(stack, statistics.median_low(one["limits"]), options, dice.randrange(1_000_000))
                    say(f"  beyond it: {one['beyond']['kinds']}, p99 {one['beyond']['p99_ms']:,.0f} ms, within the objective again "
                        f"after {one['beyond']['recovered_s']} s" + "".join(f"; WRONG: {text}" for text in one["beyond"]["wrong"]))
    for one in found.values():
        summarise(one)
    rows, quiet = ([one for row, one in found.items() if row.has_clicks == has_clicks] for has_clicks in (True, False))
    wrong = [f"{one['name']}: {text}" for one in rows for text in one["beyond"]["wrong"]]
    wrong += [f"{one['name']}: no rate within the objectives" for one in found.values() if not one["limit"]]
    return {"drill": NAME, "machine": machine(), "revision": revision(), "seed": seed, "links": options.links, "posts": options.posts,
            "seconds": options.seconds, "spans": options.spans, "recovered": options.recovered, "rounds": options.rounds,
            "loads": [min(loads), max(loads)], "rows": rows, "quiet": quiet, "wrong": wrong, "held": not wrong}


def summarise(one):
    """Of several searches the middle one: its limit, the step that held there, and the lowest that did not."""
    one["limit"] = statistics.median_low(one["limits"])
    steps = one["searches"][one["limits"].index(one["limit"])]
    one["steps"] = steps
    one["at_limit"] = next((step for step in steps if step["holds"] and step["rate"] == one["limit"]), None)
    above = [step for step in steps if step["rate"] > one["limit"]]
    one["above"] = min(above, key=lambda step: step["rate"], default=None)
