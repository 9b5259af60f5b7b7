"""The tables of docs/zero-drop.md, from the figures of many runs."""
import statistics
import textwrap

from . import INSTANCES, peers


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def paragraph(words):
    return textwrap.fill(words, 120, break_on_hyphens=False) + "\n"


def total(runs, name):
    return sum(run[name] for run in runs)


def milliseconds(values):
    """Median and largest."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{statistics.median(known):.0f} ({max(known):.0f})"


def phase(runs, name):
    return " / ".join(f"{statistics.median(run[name][quantile] for run in runs if run[name][quantile] is not None):.0f}"
                      for quantile in ("p50_ms", "p95_ms", "p99_ms"))


def bold_unless_zero(count):
    return f"**{count:,}**" if count else "0"


def text(where, figures, shared):
    ours = {name: [run for run in figures if run["drill"] == name and run["front"] == "lb"] for name in INSTANCES}
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    parts = [paragraph(
        f"Taken on {where['day']}, revision {where['revision']}, with {versions} as Debian has them: {where['machine']}; others "
        f"used the machine as well (load average {where['load']} at the start), so times are the machine's as much as the "
        f"proxies'. {where['rate']:g} requests a second in bursts "
        f"of {where['burst']}, {where['posts_share']:.0%} of them POSTs."), "\n## lb, every drill\n\n"]
    rows = []
    for name, runs in ours.items():
        if runs:
            rows.append([name, f"{sum(run['held'] for run in runs)} of {len(runs)}", f"{total(runs, 'requests'):,}", f"{total(runs, 'posts'):,}",
                         f"{total(runs, 'saved'):,}", *(bold_unless_zero(total(runs, what)) for what in ("failed", "duplicated", "lost")),
                         f"{sum(not run['disagreements'] for run in runs)} of {len(runs)}"])
    parts.append(table(["drill", "runs that held", "requests", "POSTs", "saved by retry", "failed", "made twice", "lost",
                        "all accounts agree"], rows))
    parts.append("\n" + paragraph(
        "Times in ms. Out and back: from the blow, or the start of the new process, to the change of state; the median and "
        "the longest; a blow that nobody noticed has none. The quantiles are medians of the runs' own. What is asked for while "
        "all instances are dead waits for the first one back.") + "\n")
    rows = [[name, milliseconds([one for run in runs for one in run["eject_ms"]]),
             milliseconds([one for run in runs for one in run["back_ms"]]),
             phase(runs, "before"), phase(runs, "during"), phase(runs, "after"),
             milliseconds([run["slowest_ms"] for run in runs])] for name, runs in ours.items() if runs]
    parts.append(table(["drill", "out after", "back after", "p50 / p95 / p99 before", "during", "after", "slowest"], rows))
    parts.append("\n## The same drills through others\n")
    for name in shared:
        parts.append(f"\n### {name}: {INSTANCES[name].ABOUT}\n\n")
        rows = [row_of("**lb**", ours[name])] if ours[name] else []
        for peer in peers.PROGRAMS:
            for variant, words in peers.VARIANTS.items():
                runs = [run for run in figures if (run["drill"], run["front"], run["variant"]) == (name, peer, variant)]
                if runs:
                    rows.append(row_of(f"{peer}, {words}", runs))
        parts.append(table(["", "runs", "requests", "failed", "made twice", "lost", "p99 during, ms", "slowest, ms"], rows))
    return "".join(parts)


def row_of(name, runs):
    return [name, len(runs), f"{total(runs, 'requests'):,}",
            *(bold_unless_zero(total(runs, what)) for what in ("failed", "duplicated", "lost")),
            milliseconds([run["during"]["p99_ms"] for run in runs]), milliseconds([run["slowest_ms"] for run in runs])]
