"""Drawings of a drill as SVG: panels over one axis, of time or of rates; faults' spans shaded, alarms and bounds marked; or
lanes of many spans."""
import dataclasses
import html
import math

WIDTH, LEFT, RIGHT, HEIGHT, GAP, TOP, BOTTOM = 960, 70, 150, 150, 46, 84, 40
INK, PALE, SHADE, MARK = "#1f2937", "#d1d5db", "#fde8d7", "#b91c1c"


@dataclasses.dataclass
class Line:
    name: str
    color: str
    points: list  # (seconds, value); a value of None is a gap
    has_dots: bool = False  # at its points


@dataclasses.dataclass
class Panel:
    title: str
    lines: list
    is_log: bool = False
    bound: tuple | None = None  # (value, words): a line across, of what is allowed

    def top(self):
        highest = max((value for line in self.lines for _, value in line.points if value), default=0)
        return nice(highest) if not self.is_log else 10 ** math.ceil(math.log10(max(highest, 10)))

    def bottom(self):
        if not self.is_log:
            return 0
        lowest = min((value for line in self.lines for _, value in line.points if value), default=1)
        return 10 ** math.floor(math.log10(max(lowest, 0.1)))

    def ticks(self):
        if not self.is_log:
            return [self.top() * part / 4 for part in range(5)]
        low, high = (round(math.log10(end)) for end in (self.bottom(), self.top()))
        return [10 ** power for power in range(low, high + 1)]

    def share(self, value):
        """How far up the panel, from 0 to 1."""
        if not self.is_log:
            return value / self.top()
        low, high = math.log10(self.bottom()), math.log10(self.top())
        return (math.log10(max(value, self.bottom())) - low) / (high - low)


@dataclasses.dataclass
class Lanes:
    """Who was broken when: {name: [(begin, end)]}."""
    title: str
    rows: dict
    color: str = "#c2410c"


def nice(value):
    """The next round number that four ticks divide well."""
    if value <= 4:
        return 4
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)


def number(value):
    return f"{value:,.0f}".replace(",", " ") if value >= 1 or value == 0 else f"{value:g}"


def text(x, y, words, size=12, color=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(words)}</text>')


OF_TIME = "seconds from the fault (shaded: while it lasts)"
STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1000, 2000, 5000, 10000)


def svg(title, panels, seconds, shades=(), marks=(), axis_words=OF_TIME):
    """`seconds`: first and last of the axis. `shades`: begin and end of each fault. `marks`: (second, words)."""
    first, last = seconds
    height = TOP + len(panels) * (HEIGHT + GAP) - GAP + BOTTOM
    right = WIDTH - RIGHT

    def x(second):
        return LEFT + (right - LEFT) * (min(max(second, first), last) - first) / (last - first)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">',
           f"<title>{html.escape(title)}</title>", f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           text(LEFT, 24, title, 15, weight="bold")]
    for number_, panel in enumerate(panels):
        y0 = TOP + number_ * (HEIGHT + GAP)
        out += lanes_svg(panel, y0, x) if isinstance(panel, Lanes) else panel_svg(panel, y0, x, shades, right)
        out += [f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y0}" y2="{y0 + HEIGHT}" stroke="{MARK}" stroke-dasharray="4 3"/>'
                for at, _ in marks]
    for row, (at, words) in enumerate(marks):
        # Neighbours would overlap: they take turns in two rows.
        out.append(text(x(at) + 4, TOP - 22 - 13 * (row % 2), words, 11, MARK))
    axis = TOP + len(panels) * (HEIGHT + GAP) - GAP
    step = next(one for one in STEPS if (last - first) / one <= 14)
    for second in range(math.ceil(first / step) * step, math.floor(last) + 1, step):
        out.append(text(x(second), axis + 16, number(second) if second > 999 else str(second), 11, anchor="middle"))
    out.append(text((LEFT + right) / 2, axis + 33, axis_words, 11, anchor="middle"))
    return "\n".join(out + ["</svg>"]) + "\n"


def panel_svg(panel, y0, x, shades, right):
    def y(value):
        return y0 + HEIGHT * (1 - min(panel.share(value), 1))
    out = [text(LEFT, y0 - 6, panel.title, 12, weight="bold")]
    out += [f'<rect x="{x(begin):.1f}" y="{y0}" width="{max(1, x(end) - x(begin)):.1f}" height="{HEIGHT}" fill="{SHADE}"/>'
            for begin, end in shades]
    for value in panel.ticks():
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{PALE}"/>')
        out.append(text(LEFT - 6, y(value) + 4, number(value), 11, anchor="end"))
    if panel.bound:
        value, words = panel.bound
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{MARK}" stroke-dasharray="6 3"/>')
        out.append(text(LEFT + 6, y(value) - 5, words, 11, MARK))
    for row, line in enumerate(panel.lines):
        path, pen = [], "M"
        for second, value in line.points:
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{x(second):.1f} {y(value):.1f}")
            pen = "L"
        out.append(f'<path d="{" ".join(path)}" fill="none" stroke="{line.color}" stroke-width="1.8"/>')
        if line.has_dots:
            out += [f'<circle cx="{x(second):.1f}" cy="{y(value):.1f}" r="2.6" fill="{line.color}"/>'
                    for second, value in line.points if value is not None]
        out.append(f'<line x1="{right + 12}" x2="{right + 30}" y1="{y0 + 14 + 18 * row}" y2="{y0 + 14 + 18 * row}" '
                   f'stroke="{line.color}" stroke-width="3"/>')
        out.append(text(right + 36, y0 + 18 + 18 * row, line.name, 11))
    return out


def lanes_svg(lanes, y0, x):
    out = [text(LEFT, y0 - 6, lanes.title, 12, weight="bold")]
    height = HEIGHT / max(len(lanes.rows), 1)
    for row, (name, spans) in enumerate(lanes.rows.items()):
        y = y0 + row * height
        out.append(f'<rect x="{LEFT}" y="{y + 3:.1f}" width="{WIDTH - LEFT - RIGHT}" height="{height - 6:.1f}" fill="{SHADE}"/>')
        out += [f'<rect x="{x(begin):.1f}" y="{y + 3:.1f}" width="{max(0.6, x(end) - x(begin)):.1f}" height="{height - 6:.1f}" '
                f'fill="{lanes.color}"/>' for begin, end in spans]
        out.append(text(WIDTH - RIGHT + 12, y + height / 2 + 4, name, 11))
    return out
