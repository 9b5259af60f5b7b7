"""docs/ops/soak.md and soak.svg: a run of the soak, as its figures (a line of --json) have it. What stands on the page from
BY_HAND on was written by people, and stays.
"""
import datetime
import os

from . import plot
from .chaos import FOLDER
from .report import bold_unless_zero, paragraph, table
from .soak_schedule import KINDS, PARTS

WORDS = {
    "reload-lb": "`lb` reads another policy, and the old one again", "remove-app": "an instance leaves `lb`'s configuration",
    "upgrade-lb": "another `lb` takes over from the one that serves",
    "kill-app": "kill -9 of an instance, started again, again and again", "hang-app": "SIGSTOP of an instance",
    "hang-kill-app": "SIGSTOP of an instance, then kill -9 of it", "rolling-restart": "SIGTERM and start of each instance",
    "kill-all-apps-restart": "kill -9 of both instances at once", "flap": "kill -9 of an instance every second",
    "kill-redis": "kill -9 of Redis, back with what it had", "hang-redis": "SIGSTOP of Redis",
    "flush-redis": "FLUSHALL: cache and stream of clicks are gone", "lose-redis": "kill -9 of Redis, back empty",
    "pause-replica": "the replica's replay stands still", "kill-replica": "kill -9 of the replica",
    "hang-replica": "SIGSTOP of the replica", "kill-primary": "kill -9 of the primary", "hang-primary": "SIGSTOP of the primary",
    "kill-worker": "kill -9 of a worker with clicks in its hands", "hang-worker": "SIGSTOP of a worker with clicks in its hands",
    "poison": "clicks that can never be stored, between the good ones",
}


BY_HAND = "## What it found\n"


def write(figures, folder=FOLDER):
    path = os.path.join(folder, "soak")
    with open(path + ".svg", "w") as out:
        out.write(picture(figures))
    written = ""
    if os.path.exists(path + ".md"):
        with open(path + ".md") as old:
            written = "".join(old.read().partition(BY_HAND)[1:])
    with open(path + ".md", "w") as out:
        out.write(page(figures).rstrip("\n") + "\n" + (f"\n{written}" if written else ""))
    return path + ".md"


def page(figures):
    minutes = f"{figures['minutes']:g}"
    links, late, latency = figures["links"], figures["client_late_ms"], figures["latency"]
    count = sum(one["count"] for one in figures["faults"].values())
    when = datetime.datetime.fromtimestamp(figures["begun"], datetime.timezone.utc)
    again = (f"./ops/drill soak --minutes {minutes} --rate {figures['rate']:g} --burst {figures['burst']} --seed {figures['seed']} "
             "--precedence --report")
    parts = ["# The soak: everything broken at random, for a long time\n\n", paragraph(
        f"Run it again (it writes this page anew; the same seed has the same faults at the same times): `{again}`. With another "
        "`--seed`, or none, it is another run; `--dry-run` prints what would be broken and when; Ctrl-C ends it with the verdict so far; "
        "the exit code is 1 where anything is not 0."),
        "\n## The verdict\n\n", paragraph("**It held.**" if figures["held"] else
                                         "**It did not hold: " + "; ".join(figures["wrong"]) + ".**"), "\n"]
    parts.append(table(
        ["requests", "failed", "made twice", "answered and lost", "stale answers", "clicks miscounted", "processes that ended by themselves"],
        [[f"{figures['requests']:,}", *(bold_unless_zero(figures[name]) for name in
                                        ("failed", "duplicated", "lost", "stale", "miscounted")), len(figures["crashed"])]]))
    parts.append("\n" + paragraph(
        f"On {when:%Y-%m-%d} from {when:%H:%M:%S} UTC, for {figures['seconds'] / 60:.1f} minutes, {count} faults (seed {figures['seed']}). "
        f"Programs of revision {figures['revision']} on {figures['machine']}; load average {figures['load']:.1f} at the end: others built and "
        "tested on these two cores all the while, so latencies are the machine's as much as the system's. Two instances behind lb, two "
        "workers, primary and replica (fsync on), Redis; time-outs and caches as the reference has them."))
    parts.append("\n## What was asked\n\n" + paragraph(
        f"{figures['rate']:g} requests a second in bursts of {figures['burst']}, open loop; clients never retry, and wait 30 s. "
        + ", ".join(f"{figures['kinds'][kind]:,} {words}" for kind, words in KINDS_OF_REQUESTS.items() if kind in figures["kinds"])
        + "."))
    parts.append("\n" + "".join(f"- {paragraph(one)}" for one in (
        "*Failed*: any answer but the right one, or none. Right is also 503 with Retry-After while the primary is away (and 4 s after), to "
        "writes, to \"not found\", to API reads, and to redirects of links made in the second before it went or in those 4: "
        f"{figures['refused']:,} were answered so.",
        f"*Made twice*, *lost*: the primary's rows of {figures['kinds'].get('create', 0):,} new links and of "
        f"{links['changed']:,} acknowledged writes to links that change.",
        "*Stale*: a link that changes was answered as it had been before a change that was acknowledged more than "
        "a second ago (35 s while the primary is away, which cannot tell anybody; a second more is allowed to a busy machine and "
        f"counted): while the primary was there {figures['ages']['count']} right answers were older than the newest change, by at most "
        f"{figures['ages']['oldest_s']:g} s; {figures['ages']['over_a_second']} by more than a second.",
        f"*Miscounted*: {figures['clicks']:,} redirects answered against five tables of clicks, code by code; all were counted "
        f"{figures['clicks_settled_s']:g} s after the end. {figures['poisoned']} poisoned entries were put between them, and became dead letters.",
        f"`lb`'s ledger agrees with the clients' to the last request: {figures['ledger']['requests']:,} requests, "
        f"{figures['ledger']['cut']} cut, {figures['ledger']['local_error']} errors of its own, "
        f"{figures['saved']:,} requests saved by another attempt."
        if not figures["disagreements"] else "`lb`'s ledger does not agree with the clients'.")))
    parts.append("\n## What was broken\n\n" + table(
        ["fault", "what", "times", "seconds in all", "slowest answer meanwhile, ms"],
        [[name, WORDS[name], one["count"], f"{one['seconds']:.0f}", f"{one['worst_ms']:.0f}"]
         for name in KINDS if (one := figures["faults"].get(name))]))
    overlaps = overlapping(figures["spans"])
    parts.append("\n" + paragraph(
        f"{overlaps} of them began while another part was broken already. Never at once: primary and replica, since nobody is left who "
        "knows a link that is in no cache; all instances and the primary; a worker with clicks in its hands and "
        "Redis or primary, since they are put there by way of both; poison and Redis or primary, since what Redis forgets leaves no dead "
        "letter. The slowest answer counts the ten "
        "seconds that a fault touches, and what else was broken in them."))
    if figures["undone"]:
        parts.append("\nCould not be done, and was passed over:\n\n" + "".join(f"- {one.splitlines()[0]}\n" for one in figures["undone"]))
    parts.append("\n## What users saw\n\n" + table(
        ["p50, ms", "p95, ms", "p99, ms", "slowest, ms"],
        [[latency[name] for name in ("p50_ms", "p95_ms", "p99_ms", "slowest_ms")]]))
    parts.append("\n" + paragraph(
        f"Latency counts from when a request was due; the clients themselves sent half of them within {late['0.5']:g} ms of that, 99% "
        f"within {late['0.99']:g} ms, all within {late['1']:g} ms.") + "\n![Latency, answers, memory, what was broken](soak.svg)\n")
    parts.append("\n## What the processes held\n\n" + table(
        ["process", "started", "its longest life, s", "MiB: a minute old", "most", "last", "descriptors: a minute old", "most", "last"],
        [[name, one["lives"], one["seconds"], *one["rss_mib"], *one["files"]] for name, one in figures["memory"].items()]))
    parts.append("\n" + paragraph(
        "Each line is of the longest life between two faults, or upgrades; that of the stores is of their first process, without its "
        "children. `lb` must not grow by more than 24 MiB or 100 descriptors once it is five minutes old."))
    return "".join(parts)


KINDS_OF_REQUESTS = {
    "old": "redirects of old links", "fresh": "of links of a moment ago", "changing": "of links that change",
    "absent": "of codes that nobody made", "create": "new links", "again": "of them sent again with their Idempotency-Key",
    "make": "links made to be changed", "change": "changes of them", "delete": "deletions", "read": "links read by the API",
    "stats": "readings of statistics"}


def overlapping(spans):
    return sum(any(other[2] < span[2] < other[3] for other in spans) for span in spans)


def picture(figures):
    course = figures["course"][:-1] or figures["course"]  # the last one is not whole

    def of(name, scale=1.0):
        return [((one["at"] + 5) / 60, one[name] and one[name] * scale) for one in course]
    memory = [plot.Line(name, color, [(at / 60, rss / 2 ** 20) for at, rss, _, _ in figures["samples"].get(name, ())])
              for name, color in (("lb", "#047857"), ("app1", "#1d4ed8"), ("app2", "#7c3aed"), ("worker", "#b45309"))]
    lanes = plot.Lanes("what was broken", {part: [(begin / 60, end / 60) for _, its, begin, end in figures["spans"] if its == part]
                                          for part in PARTS})
    panels = [
        plot.Panel("latency, ms", [plot.Line("p99", "#b45309", of("p99_ms")), plot.Line("p50", "#1d4ed8", of("p50_ms"))], is_log=True),
        plot.Panel("requests a second", [
            plot.Line("all", "#047857", of("requests", 0.1)), plot.Line("503, as promised", "#7c3aed", of("refused", 0.1)),
            plot.Line("failed", "#dc2626", of("failed", 0.1))]),
        plot.Panel("memory, MiB", memory), lanes]
    return plot.svg(f"soak: {sum(one['count'] for one in figures['faults'].values())} faults in {figures['seconds'] / 60:.0f} minutes",
                    panels, (0, figures["seconds"] / 60), axis_words="minutes")
