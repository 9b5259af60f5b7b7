"""A drill with everything watched: its alarm must come within a minute, or none where none is due, and a report is written.

docs/ops/chaos-NAME.md and .svg are made here, from one run on a system of its own with production's time-outs.
"""
import collections
import datetime
import os
import platform
import subprocess
import time

from stack.process import wait_until
from stack.programs import ROOT

from . import database, drill, plot
from .load import quantile_ms
from .report import paragraph, table
from .samples import TIERS, Samples

ALARM_SECONDS = 60  # design: within so many of the fault
LEAD = 20  # seconds of load before, and after
FOLDER = os.path.join(ROOT, "docs/ops")


def run(one, stack, options, say):
    """Figures with alarms, and the drill's course. The system is whole again, and the drill's alarm over, when this returns;
    one of the error budget may go on for an hour."""
    watch = stack.monitoring
    wait_until(lambda: {job for job, _ in watch.scraped()} >= {"lb", "shortener"}, 60, "Prometheus reaches nobody")
    before = len(watch.told())
    with Samples(stack) as samples:
        figures, course = drill.observe(one, stack, options, say)
    if one.ALARM:
        wait_until(lambda: not is_firing(one.ALARM, watch.told()[before:]), 120, f"the alarm {one.ALARM} does not end")
    else:
        wait_until(lambda: watch.worried() <= BUDGETS | MACHINE, 120, "alarms do not end")
    out, back = course.outages[0].out, max((one.back for one in course.outages), key=lambda deed: deed.at)
    figures["alarms"] = [alarm for alarm in alarms_since(watch.told()[before:], out.wall) if alarm["alert"] not in MACHINE]
    figures["alarm_s"] = min((alarm["fired_s"] for alarm in figures["alarms"] if alarm["alert"] == one.ALARM), default=None)
    figures["wrong"] += wrong_alarms(one, figures["alarms"], figures["alarm_s"])
    figures["held"] = not figures["wrong"]
    figures["database"] = {
        name: {part: round(samples.mean(what, since, until), 2) for part, what in LOADS.items()}
        for name, since, until in (("before", out.at - LEAD + 5, out.at), ("during", out.at, back.at),
                                   ("after", back.at + drill.AFTERMATH, back.at + LEAD))}
    return figures, course, samples


def wrong_alarms(one, alarms, after):
    """In words: what was due and did not come in time, or what came though nothing was due."""
    if one.IS_QUIET:
        return [f"the alarm {alarm['alert']} came" for alarm in alarms]
    if one.ALARM and (after is None or after > ALARM_SECONDS):
        return [f"no alarm {one.ALARM} within {ALARM_SECONDS} s of the fault"]
    return []


BUDGETS = {"ErrorBudgetFast", "ErrorBudgetMedium", "ErrorBudgetSlow", "LatencyBudgetMedium", "RedirectsSlow"}  # these last
MACHINE = {"DiskFilling"}  # says something of what else runs here, and nothing of the fault
SERVERS = ("primary", "replica")
LOADS = {name: name for name in (*TIERS, *("cpu " + name for name in (*SERVERS, "redis")),
                                 *(f"{what} {name}" for what in database.COUNTS for name in SERVERS))}


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def is_firing(name, lines):
    """Was the last word of it that it does?"""
    return next((line["status"] == "firing" for line in reversed(lines) if line["alert"] == name), False)


def alarms_since(lines, wall):
    """Each alarm's first word and last: seconds from the fault at which its webhook came."""
    found = {}
    for line in lines:
        one = found.setdefault(tuple(sorted(line["labels"].items())), {
            "alert": line["alert"], "severity": line["severity"], "summary": line["summary"], "fired_s": None, "ended_s": None})
        after = round(moment(line["received"]) - wall, 1)
        if line["status"] == "firing" and one["fired_s"] is None:
            one["fired_s"] = after
        elif line["status"] == "resolved":
            one["ended_s"] = after
    return sorted((one for one in found.values() if one["fired_s"] is not None), key=lambda one: one["fired_s"])


# --- The report ---------------------------------------------------------------------------------------------------

def write(one, figures, course, samples, folder=FOLDER):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"chaos-{one.NAME}")
    with open(path + ".svg", "w") as out:
        out.write(picture(one, figures, course, samples))
    with open(path + ".md", "w") as out:
        out.write(page(one, figures, course))
    return path + ".md"


def machine():
    """What the figures are figures of."""
    with open("/proc/meminfo") as memory:
        gib = round(int(memory.readline().split()[1]) / 2 ** 20)
    with open("/etc/os-release") as release:
        system = next(line.split("=")[1].strip().strip('"') for line in release if line.startswith("PRETTY_NAME="))
    return f"{os.cpu_count()} cores, {gib} GiB, Linux {platform.release()}, {system}"


def revision():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout.strip()
    return git("rev-parse", "--short=10", "HEAD")


TAKEN_ALONG = "An instance that is killed takes along what it had counted in its last second; the clients' account has it.\n\n"
DEEDS = 12  # so many are told of, one by one


def timeline(one, figures, course):
    """Rows of what was done and what alarms came, as they came."""
    first = course.deeds[0]

    def row(after, words):
        when = datetime.datetime.fromtimestamp(first.wall + after, datetime.timezone.utc)
        return [f"{when:%Y-%m-%d %H:%M:%S.%f}"[:-3], f"{after:.1f}", words]
    rows = [row(0.0, f"{first.what} {first.name}, {first.under_way} requests under way (`{one.command}`)")]
    rows += [row(deed.at - first.at, f"{deed.what} {deed.name}") for deed in course.deeds[1:DEEDS]]
    for alarm in figures["alarms"]:
        told = f"alarm {alarm['alert']} ({alarm['severity']})"
        rows.append(row(alarm["fired_s"], f"{told} came: {alarm['summary']}"))
        if alarm["ended_s"] is not None:
            rows.append(row(alarm["ended_s"], f"{told} over"))
    return sorted(rows)


def page(one, figures, course):
    parts = [f"# Drill {one.NAME}: {one.ABOUT}\n\n", "Run it again (it writes this page anew): "
             f"`./ops/drill {one.NAME} --report`\n\n## What must hold\n\n",
             paragraph(f"{one.PROMISE} " + (
                 f"The alarm {one.ALARM} reaches its webhook within {ALARM_SECONDS} s." if one.ALARM else
                 "No alarm comes." if one.IS_QUIET else "An alarm may come.")),
             "\n" + paragraph(("**It held.**" if figures["held"] else "**It did not hold: " + "; ".join(figures["wrong"]) + ".**")),
             "\n## What was done\n\n"]
    parts.append(table(["UTC", "s", "what"], timeline(one, figures, course)))
    if len(course.deeds) > DEEDS:
        parts.append(f"\nAnd so on: {len(course.deeds)} in all, the last one after {course.deeds[-1].at - course.deeds[0].at:.1f} s.\n")
    parts.append("\n" + paragraph(
        f"Revision {revision()} on {machine()}, load average {os.getloadavg()[0]:.1f} (the whole system, its clients and "
        f"whatever else ran there share those cores). Two instances behind lb, primary and replica, Redis; time-outs "
        f"and caches as the reference has them. {figures['rate']:g} requests a second, open loop, {figures['posts_share']:.0%} of "
        f"them new links, the rest redirects; clients never retry; latency counts from when a request was due. The clients "
        f"themselves, who share the machine, sent half of them within "
        f"{figures['client_late_ms']['0.5']:g} ms of that, 99% within {figures['client_late_ms']['0.99']:g} ms, all within "
        f"{figures['client_late_ms']['1']:g} ms. Seed {figures['seed']}."))
    parts.append("\n## What users saw\n\n")
    rows = [[name, f"{part['requests']:,}", *(part[what] for what in ("p50_ms", "p95_ms", "p99_ms", "slowest_ms"))]
            for name, part in ((name, figures[name]) for name in ("before", "during", "after"))]
    parts.append(table(["", "requests", "p50, ms", "p95, ms", "p99, ms", "slowest, ms"], rows))
    parts.append("\n" + table(
        ["requests", "new links", "failed", "503 with Retry-After, as promised", "made twice", "answered and lost",
         "longest time without a redirect", "without a new link", "repeated by lb"],
        [[f"{figures['requests']:,}", f"{figures['posts']:,}", figures["failed"], figures["refused"], figures["duplicated"],
          figures["lost"], f"{figures['silent_s']['GET']} s", f"{figures['silent_s']['POST']} s",
          "–" if figures["retried"] is None else figures["retried"]]]))
    if figures["errors"]:
        parts.append("\n" + "".join(f"- {count} × {error}\n" for error, count in figures["errors"].items()))
    parts.append("\nThe clients' account, the primary's rows and lb's ledger agree to the last request.\n"
                 if not figures["disagreements"] else "\nThe accounts do not agree.\n")
    parts.append(f"\n![Latency, answers, look-ups](chaos-{one.NAME}.svg)\n\n" + (TAKEN_ALONG if one.IS_OF_INSTANCES and not one.IS_QUIET else "")
                 + "## What the stores had to do\n\n")
    parts.append(table(["", "look-ups a second at Redis", "at the replica", "at the primary", "cores: primary", "replica", "Redis"],
                       [[name, *(f"{row[tier]:.0f}" for tier in TIERS), *(f"{row['cpu ' + store]:.2f}" for store in
                                                                         ("primary", "replica", "redis"))]
                        for name, row in figures["database"].items()]))
    parts.append("\n" + table(["", "transactions a second: primary", "replica", "rows read a second: primary", "replica",
                               "blocks found in memory: primary", "replica"],
                              [[name, *(f"{row[f'{what} {server}']:.0f}" for what in ("transactions", "rows") for server in SERVERS),
                                *(in_memory(row, server) for server in SERVERS)] for name, row in figures["database"].items()]))
    parts.append("\n" + paragraph(
        "These are the servers' own figures (`pg_stat_database`), so with what the drill asks itself (a transaction a second), with what "
        "recovery asks, and with clicks, which the primary stores behind the redirects' backs."))
    return "".join(parts)


def in_memory(row, server):
    """The share of a database's blocks that it did not have to ask the kernel for."""
    hit, read = row["hit " + server], row["read " + server]
    return f"{hit / (hit + read):.2%}" if hit + read else "–"


def picture(one, figures, course, samples):
    out = course.outages[0].out
    seconds = collections.defaultdict(list)
    for entry in course.entries:
        seconds[int((entry.due - out.at) // 1)].append(entry)
    span = range(min(seconds) + 1, max(seconds))  # the first and the last one are not whole

    def of(count):
        return [(second + 0.5, count(seconds[second])) for second in span]
    ends = (span.start, span.stop)

    def grown(name):
        return [(at - out.at - 0.5, row[name]) for at, row in samples.rows if ends[0] <= at - out.at - 0.5 <= ends[1]]
    panels = [
        plot.Panel("latency, ms", [
            plot.Line("p99", "#b45309", of(lambda entries: quantile_ms(entries, 0.99))),
            plot.Line("p50", "#1d4ed8", of(lambda entries: quantile_ms(entries, 0.5)))], is_log=True),
        plot.Panel("answers a second", [
            plot.Line("as they should be", "#047857", of(lambda entries: sum(entry.error is None for entry in entries))),
            plot.Line("503, as promised", "#7c3aed", of(lambda entries: sum(
                entry.error is not None and is_promised(one, entry, course) for entry in entries))),
            plot.Line("failed", "#dc2626", of(lambda entries: sum(
                entry.error is not None and not is_promised(one, entry, course) for entry in entries)))]),
        plot.Panel("requests a second at each instance", [
            plot.Line(app.process.name, color, grown("requests " + app.process.name))
            for app, color in zip(samples.stack.apps, ("#0891b2", "#7c3aed"))])
        if one.IS_OF_INSTANCES else
        plot.Panel("look-ups a second", [
            plot.Line("Redis", "#dc2626", grown("redis")), plot.Line("replica", "#0891b2", grown("replica")),
            plot.Line("primary", "#1d4ed8", grown("primary"))]),
    ]
    marks = [(alarm["fired_s"], alarm["alert"]) for alarm in figures["alarms"] if alarm["fired_s"] <= ends[1]]
    return plot.svg(f"{one.NAME}: {one.ABOUT}", panels, ends, [
        (each.out.at - out.at, each.back.at - out.at) for each in course.outages], marks)


def is_promised(one, entry, course):
    return one.is_promised(entry, course.outages)
