"""docs/ops/capacity.md and its drawings, from the figures of one `ops/drill capacity`."""
import dataclasses
import os
import textwrap

from bench import capacity_model

from . import plot
from .capacity import BEYOND, CALM, FAILED_SHARE, NO_MEMORY, SLOW_MS, SLOW_SHARE
from .chaos import FOLDER
from .report import paragraph, table

COLORS = ("#047857", "#dc2626", "#1d4ed8", "#7c3aed")
TO_MODEL = {"lb": ("lb",), "instance": ("app1", "app2"), "redis": ("Redis",), "replica": ("replica",), "primary": ("primary",),
            "worker": ("worker",)}
GROUPS = (("rows", ""), ("quiet", ", without clicks"))
WORDS = {"redis": "Redis", "instance": "instances"}


def show(figures, say):
    for row in figures["rows"]:
        say(f"  {row['name']:<28}{row['limit']:>8,.0f} a second ({spread(row['limits'])}); "
            f"beyond it p99 {row['beyond']['p99_ms']:,.0f} ms, {row['beyond']['good_a_second']:,.0f} answered a second")
    for row in figures["quiet"]:
        say(f"  {row['name']:<28}{row['limit']:>8,.0f} a second ({spread(row['limits'])}) with clicks not recorded")
    say("  held" if figures["held"] else "  DID NOT HOLD: " + "; ".join(figures["wrong"]))


def write(figures, folder=FOLDER):
    os.makedirs(folder, exist_ok=True)
    for name, text in (("capacity.svg", drawing(figures)), ("capacity-beyond.svg", drawing_beyond(figures)),
                       ("capacity.md", page(figures))):
        with open(os.path.join(folder, name), "w") as out:
            out.write(text)
    return os.path.join(folder, "capacity.md")


def page(figures):
    rows, quiet = figures["rows"], figures["quiet"]
    parts = ["# What it carries, with and without its caches\n\n"
             "Run it again (it writes this page anew): `./ops/drill capacity --precedence --runs 3`; `--no-cache` measures only\n"
             "the rows that lack something, and writes nothing.\n\n"]
    parts.append(limits(rows))
    if quiet:
        parts.append("\nThe same where clicks are not recorded:\n\n" + limits(quiet))
    parts.append("\n" + paragraph(conclusion(rows, quiet)) + "\n![p99.9 and p99 by rate](capacity.svg)\n\n")
    parts.append("## How it was measured\n\n" + how(figures))
    parts.append("\n## What was full\n\n" + what_was_full(figures))
    parts.append("\n## Half as much again as the limit\n\n" + beyond_words(figures))
    parts.append("\n## Beside the model\n\n" + beside_model(figures))
    parts.append("\n## What to plan\n\n" + plan(figures))
    return "".join(parts)


def limits(rows):
    return table(
        ["caches", "highest rate within the objectives, requests a second", "searches gave", "of that with both",
         "from memory / Redis / replica / primary"],
        [[f"**{row['name']}**", f"**{row['limit']:,.0f}**", spread(row["limits"]), share_of_best(row, rows),
          " / ".join(f"{row['at_limit']['came'][tier]:.0%}" for tier in ("cache", "redis", "replica", "primary"))]
         for row in rows if row["at_limit"]])


def spread(rates):
    return ", ".join(f"{rate:,.0f}" for rate in rates)


def share_of_best(row, rows):
    return f"{row['limit'] / max(1, rows[0]['limit']):.0%}"


def conclusion(rows, quiet):
    def factors(of):
        return ", ".join(f"without {what} {of[0]['limit'] / max(1, of[number]['limit']):.1f}"
                         for number, what in ((2, "Redis"), (1, "the memory of the instances"), (3, "both")))
    more = f"; where clicks are not recorded: {factors(quiet)}" if quiet else ""
    return (f"Capacity falls by a factor of: {factors(rows)}{more}. At no limit were there failures; what ends first is the time that "
            "redirects take.")


def how(figures):
    every = figures["rows"] + figures["quiet"]
    lateness = max(row["at_limit"]["late_p999_ms"] for row in every if row["at_limit"])
    searches = "one search each" if figures["rounds"] == 1 else (
        f"{figures['rounds']} searches each, in turn" + (", one where clicks are not recorded" if figures["quiet"] else "")
        + "; the table has the middle one")
    off = ", ".join(f"`{name}={value}`" for name, value in NO_MEMORY.items())
    return "\n".join(paragraph(text) for text in (
        f"Revision {figures['revision']} on {figures['machine']}; load average {figures['loads'][0]:.1f} to "
        f"{figures['loads'][1]:.1f} while it ran: its own load, and whatever else ran there (`--precedence` lets the system and its "
        "clients go first). **All share these cores: lb, two instances, Redis, primary, replica, worker, and the clients.** Durable stores, time-outs and caches as the reference has them, "
        "`shared_buffers` 256 MB, Redis' `maxmemory` 512 MB.",
        "The load (`tests/bench/open_load.cpp`) is open loop: requests arrive by chance at a rate, whatever has become of those before, "
        "over at most 2,000 kept connections; latency counts from when each was due; nothing is repeated. "
        f"{figures['posts']:.0%} make a link, the others follow one of {figures['links']:,}, popularity as Zipf has it (half of all visits "
        "go to as many links as the root of their number); each answer's target is compared. At the limits the clients sent 99.9 % of all "
        f"requests within {lateness:.1f} ms of that moment, and that is in the latencies.",
        f"A step is {figures['seconds']:g} s, after 2 s that are not measured, and begins when all clicks are stored. It holds if at "
        f"most {SLOW_SHARE:.1%} of the redirects took over {SLOW_MS} ms and at most {FAILED_SHARE:.2%} of all requests failed: the "
        "objectives of [slo.md](slo.md). One that does not is tried again, twice at most, since what else the machine does can only make it worse. The "
        "rate goes up by half until a step does not hold, and then between the two until they are 6 % apart: "
        f"{searches}. Seed {figures['seed']}.",
        "Without Redis: it is killed (`kill -9`), as in an outage, and stays away; clicks then go from the instances straight into the "
        f"primary. Without memory: the cache in the instances is as small and as forgetful as the program has it ({off}), so a link that "
        "is asked for often is still found there at times: the first table's last column says how often.",
        *figures.get("notes", ())))


def what_was_full(figures):
    known = [(row["name"] + more, row) for of, more in GROUPS for row in figures[of] if row["at_limit"]]
    names = list(known[0][1]["at_limit"]["cores"])
    cores = table(["cores in use at the limit", *names, "others on the machine", "sum"],
                  [[name, *(f"{row['at_limit']['cores'][part]:.2f}" for part in names), f"{others(row['at_limit']):.2f}",
                    f"{row['at_limit']['busy_cores']:.2f}"] for name, row in known])
    costs = table(["µs of CPU a request", *names, "the system, without clients"],
                  [[name, *(f"{row['at_limit']['us'][part]:.1f}" for part in names), f"**{system_us(row['at_limit']):.0f}**"]
                   for name, row in known])
    steps = table(["at the limit", "p50, ms", "p95", "p99", "p99.9", "a new link's p99", "clicks put off, of all", "the next step",
                   "which gave"],
                  [[name, *(f"{row['at_limit'][each]:.1f}" for each in ("p50_ms", "p95_ms", "p99_ms", "p999_ms", "new_p99_ms")),
                    f"{max(0, row['at_limit']['put_off']) / row['at_limit']['redirects']:.0%}", *next_step(row)] for name, row in known])
    return cores + "\n" + costs + "\n" + steps + "\n" + paragraph(
        "\"Others\" is what the kernel counted beside these processes: its own work and other programs. \"Clicks put off\" waited in the "
        "journals at the end of the step, for the time after a peak: a rate that is to last all day must be lower by that. "
        + limited(known))


def others(step):
    return max(0.0, step["busy_cores"] - sum(step["cores"].values()))


def system_us(step):
    return sum(cost for name, cost in step["us"].items() if name != "client")


def next_step(row):
    above = row["above"]
    if not above:
        return "–", "–"
    return f"{above['rate']:,.0f}", f"{above['slow_share']:.2%} slow, {above['failed_share']:.2%} failed"


def limited(known):
    """Which part, in words."""
    words, alone = [], []
    for name, row in known:
        step = row["at_limit"]
        parts = sorted((part for part in step["cores"] if part != "client"), key=lambda part: -step["cores"][part])
        words.append(f"{name}: {parts[0]} and {parts[1]}")
        if step["cores"][parts[0]] > 0.9:
            alone.append(f"{parts[0]} ({name})")
    return ("All cores were busy at every limit, so it is the machine that is full" + (
        f", and {', '.join(alone)} had a core to itself." if alone else " and not one process: none had a whole core.")
        + " Most of it took: " + "; ".join(words) + ".")


def beyond_words(figures):
    rows, (before, during, after) = figures["rows"], figures["spans"]
    head = ["", "requests a second", "of them answered as they should be, sooner or later", "median, ms",
            "slowest second's p99, ms", "slowest of all, ms", "within the objective again", "answers by kind"]
    body = [[row["name"], f"{one['rate']:,.0f}", f"{one['good_a_second']:,.0f}", f"{one['p50_ms']:,.0f}", f"{one['p99_ms']:,.0f}",
             f"{one['slowest_ms']:,.0f}", f"{one['recovered_s']} s after",
             ", ".join(f"{count:,} × {kind}" for kind, count in one["kinds"].items())] for row in rows for one in [row["beyond"]]]
    wrong = [f"{row['name']}: {text}" for row in rows for text in row["beyond"]["wrong"]]
    return (paragraph(
        f"{before} s at {CALM:g} times the limit, {during} s at {BEYOND:g} times, {after} s at {CALM:g} times again. It must stay orderly: "
        "nothing but right answers and 503 or 429 with Retry-After, right answers to at least half of what it carries, and within the "
        f"objective again {figures['recovered']} s later at the latest.") + "\n" + table(head, body) + "\n" + paragraph(
        "**It held.** Users wait, since nobody is turned away: what comes too much is held in the connections, and answered in its "
        "turn; once less comes, the rest is caught up with. To turn some away early instead, give lb's servers `max_requests` and a "
        "small `queue.size`." if not wrong else "**It did not hold: " + "; ".join(wrong) + ".**")
        + "\n![Before, during and after](capacity-beyond.svg)\n")


def beside_model(figures):
    body = []
    for of, more in GROUPS:
        for row in figures[of]:
            step = row["at_limit"]
            if not step:
                continue
            reckoned = reckon(step, figures["posts"], has_clicks=of == "rows")
            measured = {part: sum(step["us"][name] for name in names) for part, names in TO_MODEL.items()}
            rate = (os.cpu_count() or 1) / (sum(reckoned.values()) + step["us"]["client"]) * 1e6
            body.append([row["name"] + more, *(f"{reckoned[part]:.1f} / {measured[part]:.1f}" for part in TO_MODEL),
                         f"{sum(reckoned.values()):.0f} / {sum(measured.values()):.0f}", f"{rate:,.0f}", f"{row['limit']:,.0f}"])
    return table(["µs a request, model / measured", *(WORDS.get(part, part) for part in TO_MODEL), "the system",
                  "all cores full at, by the model", "measured limit"], body) + "\n" + paragraph(
        "The model (`tests/bench/capacity_model.py`, [scaling.md](../scaling.md)) is given what each tier was measured here to answer, and "
        "the clients' cost. Its limit is about twice what was measured, for three reasons: it gives the system all cores, of which others "
        "had what the table of cores says; \"full\" is a rate at which queues have no end, so a limit within an objective is below it; and its "
        "costs were taken one by one under full load. Where a part costs more here than the model says, it is "
        "because work comes in smaller batches: a look-up that travels alone, a batch of clicks with few in it, and each change of process "
        "cost what many would share.")


def reckon(step, posts, has_clicks):
    """Microseconds a request, part by part, as the model has it."""
    came = step["came"]
    missed = max(1e-9, 1 - came["cache"])
    one = capacity_model.Plan(rate=1, new=posts, in_memory=came["cache"], in_redis=came["redis"] / missed, lb_workers=1, instances=1,
                              cores=1, workers=1)
    costs = capacity_model.MEASURED if has_clicks else dataclasses.replace(
        capacity_model.MEASURED, **{name: 1e-9 for name in vars(capacity_model.MEASURED) if name.startswith("click_")})
    return {part: each * 1e6 for part, each in capacity_model.forecast(one, costs).utilisation.items()}


def plan(figures):
    rows = figures["rows"]
    worst = min(rows, key=lambda row: row["limit"])
    bullets = [
        f"Plan the peak for {share_of_best(worst, rows)} of what was measured with both caches, or for less: at that rate neither Redis' "
        "death nor a restart of all instances at once is felt ([cache-cold.md](cache-cold.md), [chaos-redis.md](chaos-redis.md)).",
        "What Redis' death costs beside that is clicks: with Redis one worker stores them, batch after batch, and under load falls "
        "behind; without it both instances store their own, once a second and side by side, and the primary takes the cores from "
        "those who answer.",
        "On a machine with nothing else on it, and clients elsewhere, a core carries a million divided by \"the system, without clients\" "
        "of the table of costs. Which part to give more is in [scaling.md](../scaling.md).",
        "Clicks cost the primary more than redirects cost anybody: with the databases on machines of their own they are not in the "
        "redirects' way, and a peak waits in the journals.",
    ]
    return "".join(textwrap.fill(text, 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False) + "\n"
                   for text in bullets)


# --- Drawings ------------------------------------------------------------------------------------------------------

def drawing(figures):
    def lines(of, what):
        return [plot.Line(short(row["name"]), color, sorted((step["rate"], step[what]) for step in steps_once(row)), has_dots=True)
                for row, color in zip(figures[of], COLORS)]
    rates = [step["rate"] for of in ("rows", "quiet") for row in figures[of] for step in row["steps"]]
    panels = [plot.Panel(f"{share} of the redirects took at most, ms{more}", lines(of, what), is_log=True,
                         bound=(SLOW_MS, f"objective: {SLOW_MS} ms for 99.9 %"))
              for of, more in GROUPS if figures[of] for share, what in (("99.9 %", "p999_ms"), ("99 %", "p99_ms"))]
    return plot.svg("capacity: time of redirects by rate, with and without caches", panels, (0, max(rates) * 1.02), [], [],
                    "requests a second")


def steps_once(row):
    """Of a step that was tried twice the better one, as the search took it."""
    best = {}
    for step in row["steps"]:
        if step["rate"] not in best or step["slow_share"] < best[step["rate"]]["slow_share"]:
            best[step["rate"]] = step
    return best.values()


def short(name):
    return name.split(":")[0]


def drawing_beyond(figures):
    before, during, after = figures["spans"]

    def lines(column):
        return [plot.Line(short(row["name"]), color, [(second - before + 0.5, one[column]) for second, one in
                                                      enumerate(row["beyond"]["by_second"][:sum(figures["spans"])])])
                for row, color in zip(figures["rows"], COLORS)]
    panels = [plot.Panel("p99 of redirects, ms, by when they were due", lines(3), is_log=True, bound=(SLOW_MS, f"objective: {SLOW_MS} ms")),
              plot.Panel("requests a second", lines(0)), plot.Panel("of them answered as they should be, sooner or later", lines(1))]
    return plot.svg(f"capacity: {BEYOND:g} times the limit for {during} s", panels, (-before, during + after), [(0, during)], [],
                    "seconds (shaded: while too many come)")
