"""The figures of tests/cost: how they are stored and compared.

Figures are nested as {exchange: {figure: value}}. All values are per request.
"""
import json
import os

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "figures.json")
ALWAYS = ("instructions", "allocations")  # written even if they are 0; all others are system calls
COMMAND = "tests/cost/run --refresh"
MARGIN = 0.02  # of the committed value
SLACK = 0.1  # calls per request: what the program does by the clock may be counted as so much more or less


def read(path=FILE):
    """Returns the committed figures and what they were made with."""
    with open(path) as file:
        content = json.load(file)
    return content["figures"], content["made_with"]


def write(figures, made_with, path=FILE):
    rounded = {exchange: {name: to_commit(value) for name, value in values.items() if name in ALWAYS or abs(value) > SLACK}
               for exchange, values in figures.items()}
    with open(path, "w") as file:
        json.dump({"made_with": made_with, "figures": rounded}, file, indent=2)
        file.write("\n")


def to_commit(value):
    """A whole number if the value is one but for noise; else two decimals."""
    return round(value) if value > 100 or abs(value - round(value)) <= SLACK else max(round(value, 2), 0)


def compare(committed, measured):
    """Returns a row (exchange, figure, committed, measured, verdict) for each figure.

    The verdict is "" for a figure within the margin, else "rose" or "fell". A figure that one side lacks counts as 0
    there and is None in its row.
    """
    rows = []
    for exchange in [*committed, *(name for name in measured if name not in committed)]:
        before, now = committed.get(exchange, {}), measured.get(exchange, {})
        for figure in [*before, *(name for name in now if name not in before)]:
            old, new = before.get(figure), now.get(figure)
            difference = (new or 0) - (old or 0)
            has_moved = abs(difference) > max(MARGIN * (old or 0), SLACK)
            if old is None and not has_moved:
                continue  # a call that only timers make
            rows.append((exchange, figure, old, new, ("rose" if difference > 0 else "fell") if has_moved else ""))
    return rows


def shown(value):
    if value is None:
        return "none"
    return f"{value:,.0f}" if value > 100 else f"{max(value, 0):.2f}"


def percent(old, new):
    return f"{(new or 0) / old - 1:+.2%}" if old else ""


def table(rows):
    lines = [f"{'per request':<20}{'committed':>12}{'measured':>12}{'difference':>12}"]
    shown_exchange = None
    for exchange, figure, old, new, verdict in rows:
        if exchange != shown_exchange:
            lines.append(exchange)
            shown_exchange = exchange
        lines.append(f"  {figure:<18}{shown(old):>12}{shown(new):>12}{percent(old, new):>12}  {verdict}".rstrip())
    return "\n".join(lines)


def verdict(rows):
    """Returns what is wrong and what to do next, or "" if every figure is within the margin."""
    moved = [row for row in rows if row[-1]]
    if not moved:
        return ""
    lines = [f"{len(moved)} figure{'s' if len(moved) > 1 else ''} moved by more than {MARGIN:.0%}:"]
    for exchange, figure, old, new, direction in moved:
        share = percent(old, new)
        lines.append(f"  {exchange}: {figure} {direction} from {shown(old)} to {shown(new)}" + (f" ({share})" if share else ""))
    if any(row[-1] == "rose" for row in moved):
        lines.append("A request costs more than before. If that is intended, refresh the figures and say in the commit why they rose:")
    else:
        lines.append("A request costs less than before. Refresh the figures, so that the gain is kept, and say in the commit why they fell:")
    return "\n".join([*lines, f"  {COMMAND}"])
