"""Charts as SVG, made on the server: no script, no library, the same in print.

Pure: figures in, a Chart out. Colours are classes of static/css/researcher.css (Okabe-Ito, for
light and dark); the geometry is in units of the viewBox, which a page shows at about one
pixel each. Every chart carries its numbers, so that a page can show them as a table.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 400, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 16, 34, 38
"""Margins of the plot: room for tick labels, and above it for the labels of lines."""
LABEL_WIDTH = 96
"""About that of a line's label."""
LINE_HEIGHT = 14
NAME_WIDTH = 84
"""Room on the right for the names of curves."""
LOGARITHMIC_FROM = 30
"""Highest value over lowest: beyond it a linear scale hides where a curve ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What templates/researcher/_chart.html shows."""

    title: str
    note: str
    """What is drawn, with n, and what the lines and intervals are."""
    svg: SafeString
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An upright line at `at`, with the band of its interval where it has one."""

    at: float
    label: str
    kind: str
    """limit, chance or value: a class in the style sheet."""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From data to the viewBox; `transform` is applied to both before."""

    low: float
    high: float
    start: float
    end: float
    transform: Callable[[float], float] = float

    def __call__(self, value: float) -> float:
        low, high = self.transform(self.low), self.transform(self.high)
        part = (self.transform(min(max(value, self.low), self.high)) - low) / (high - low)
        return self.start + part * (self.end - self.start)


def histogram(
    *,
    edges: Sequence[float],
    counts: Sequence[int],
    ticks: Sequence[tuple[float, str]],
    lines: Sequence[Line] = (),
    expected: Sequence[float] | None = None,
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
) -> SafeString:
    """Draw bars between neighbouring `edges`, one edge more than counts.

    `expected` is drawn as a mark over each bar: what chance alone would give.
    """
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{len(counts)} counts need {len(counts) + 1} edges, not {len(edges)}")
    x = Scale(
        low=edges[0],
        high=edges[-1],
        start=LEFT,
        end=WIDTH - RIGHT,
        transform=math.log if logarithmic else float,
    )
    top = nice_ceiling(math.ceil(max([*counts, *(expected or ()), 1])))
    y = Scale(low=0, high=top, start=HEIGHT - BOTTOM, end=TOP)
    return _svg(
        f"{y_label} by {x_label}",
        [
            *_y_axis(x, y, y_label),
            *_bars(x, y, edges, counts),
            *(_expected(x, y, edges, expected) if expected else ()),
            *_x_axis(x, ticks, x_label),
            *_lines(x, lines),
        ],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """A value with its interval, at x."""

    x: float
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A line across at `at`: limit, chance or value, as a Line's kind."""

    at: float
    label: str
    kind: str


def dots(
    *,
    points: Sequence[Dot],
    levels: Sequence[Level],
    x_range: tuple[float, float],
    y_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
) -> SafeString:
    """Draw values with their intervals, from the lowest of `y_ticks` to the highest.

    Labels of the levels stand on the right, none over another.
    """
    if not points:
        raise ValueError("there must be a dot at least")
    x = Scale(low=x_range[0], high=x_range[1], start=LEFT, end=WIDTH - NAME_WIDTH)
    y = Scale(low=y_ticks[0][0], high=y_ticks[-1][0], start=HEIGHT - BOTTOM, end=TOP)
    middle = round((x.low + x.high) / 2)
    return _svg(
        f"{y_label} by {x_label}",
        [
            *_ticks_across(x, y, y_ticks, y_label),
            *_x_axis(x, [(value, number(value)) for value in (x.low, middle, x.high)], x_label),
            *_levels(x, y, levels),
            *(part for point in points for part in _dot(x, y, point)),
        ],
    )


def interval_bar(
    k: int, n: int, interval: tuple[float, float], *, limit: float, chance: float | None = None
) -> SafeString:
    """Draw a share with its interval on a line from 0 to 1, small enough for a table's cell."""
    width, height = 96, 16
    x = Scale(low=0, high=1, start=3, end=width - 3)
    middle = height / 2
    low, high = (round(100 * end) for end in interval)
    parts = [
        _tag("line", {"class": "axis", "x1": x(0), "x2": x(1), "y1": middle, "y2": middle}),
        *(
            _upright(x(at), height, kind)
            for at, kind in ((chance, "chance"), (limit, "limit"))
            if at is not None
        ),
        _tag(
            "line",
            {"class": "interval", "x1": x(interval[0]), "x2": x(interval[1]), "y1": middle, "y2": middle},
        ),
        _tag("circle", {"class": "value", "cx": x(k / n if n else 0.5), "cy": middle, "r": 3}),
    ]
    label = f"{k} of {n}, 95 % interval {low} to {high} %"
    return _wrap(label, width, height, "interval-bar", parts)


def value_bar(
    value: float, interval: tuple[float, float] | None, *, low: float, high: float, unit: str
) -> SafeString:
    """Draw a value with its interval on a line from `low` to `high`, with a mark at 0; small enough for a table's cell."""
    width, height = 160, 16
    x = Scale(low=low, high=high, start=4, end=width - 4)
    middle = height / 2
    parts = [_tag("line", {"class": "axis", "x1": x(low), "x2": x(high), "y1": middle, "y2": middle})]
    if low <= 0 <= high:
        parts.append(_upright(x(0), height, "chance"))
    label = f"{value:+.2f} {unit}"
    if interval:
        label += f", 95 % interval {interval[0]:+.2f} to {interval[1]:+.2f}"
        ends = {"x1": x(interval[0]), "x2": x(interval[1])}
        parts.append(_tag("line", {"class": "interval", **ends, "y1": middle, "y2": middle}))
    parts.append(_tag("circle", {"class": "value", "cx": x(value), "cy": middle, "r": 3}))
    return _wrap(label, width, height, "interval-bar value-bar", parts)


def curve(
    *,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_label: str,
    y_label: str,
    lines: Sequence[Line] = (),
) -> SafeString:
    """Draw one line for each named series of (x, y), with the name beside its end, and the upright `lines`.

    The scale is fitted to the values, logarithmic where they are far apart; the axis says so.
    """
    points = [point for _, line in series for point in line]
    if not points:
        raise ValueError("a curve needs at least one point")
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    end = WIDTH - (NAME_WIDTH if any(name for name, _ in series) else RIGHT)
    x = Scale(low=min(xs), high=max(max(xs), min(xs) + 1), start=LEFT, end=end)
    logarithmic = min(ys) > 0 and max(ys) / min(ys) > LOGARITHMIC_FROM
    ticks = decade_ticks(min(ys), max(ys)) if logarithmic else round_ticks(min(ys), max(ys))
    y = Scale(
        low=ticks[0],
        high=ticks[-1],
        start=HEIGHT - BOTTOM,
        end=TOP,
        transform=math.log if logarithmic else float,
    )
    y_label += ", logarithmic" if logarithmic else ""
    return _svg(
        f"{y_label} by {x_label}",
        [
            *_grid(x, y, ticks, y_label),
            *_x_axis(x, [(v, number(v)) for v in (x.low, (x.low + x.high) / 2, x.high)], x_label),
            *_lines(x, lines),
            *(_path(x, y, i, line) for i, (_, line) in enumerate(series)),
            *_names_at_the_end(x, y, series),
        ],
    )


def round_ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers, evenly apart, the first at most `low` and the last at least `high`."""
    room = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(room / 4) + 1e-9)
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= room / 4 * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def decade_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around positive numbers; also twice and five times them where those are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    few = last - first <= 3
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in ((1, 2, 5) if few else (1,))]
    start = max(i for i, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
    end = min(i for i, tick in enumerate(ticks) if tick >= high * (1 - 1e-9))
    return ticks[start : end + 1]


def nice_ceiling(value: float) -> float:
    """Round up to a number of which half is a fair label too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    # The margin keeps 10 from becoming 20 by a rounding error in the logarithm.
    return next(
        step * power
        for step in (1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if step * power >= value * (1 - 1e-12)
    )


def number(value: float) -> str:
    """Write a number in at most four figures, thousands as k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.4g}k"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _upright(at: float, height: float, kind: str) -> str:
    return _tag("line", {"class": kind, "x1": at, "x2": at, "y1": 1, "y2": height - 1})


def _bars(x: Scale, y: Scale, edges: Sequence[float], counts: Sequence[int]) -> Iterable[str]:
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            yield _tag(
                "rect",
                {
                    "class": "bar",
                    "x": x(left) + 0.75,
                    "y": y(count),
                    "width": max(x(right) - x(left) - 1.5, 1),
                    "height": y(0) - y(count),
                },
            )


def _expected(x: Scale, y: Scale, edges: Sequence[float], expected: Sequence[float]) -> Iterable[str]:
    for left, right, value in zip(edges, edges[1:], expected, strict=False):
        yield _tag("line", {"class": "chance", "x1": x(left), "x2": x(right), "y1": y(value), "y2": y(value)})


def _y_axis(x: Scale, y: Scale, label: str) -> Iterable[str]:
    """Counts: no tick between whole numbers."""
    ticks = [0.0, y.high / 2, y.high] if (y.high / 2).is_integer() else [0.0, y.high]
    return _grid(x, y, ticks, label)


def _grid(x: Scale, y: Scale, ticks: Sequence[float], label: str) -> Iterable[str]:
    return _ticks_across(x, y, [(tick, number(tick)) for tick in ticks], label)


def _ticks_across(x: Scale, y: Scale, ticks: Sequence[tuple[float, str]], label: str) -> Iterable[str]:
    for tick, text in ticks:
        yield _tag("line", {"class": "grid", "x1": x.start, "x2": x.end, "y1": y(tick), "y2": y(tick)})
        yield _text(text, LEFT - 6, y(tick) + 4, "end")
    yield _text(label, 0, 12, "start")


def _levels(x: Scale, y: Scale, levels: Sequence[Level]) -> Iterable[str]:
    """From the bottom upwards."""
    place = float(HEIGHT)
    for level in sorted(levels, key=lambda level: level.at):
        at = y(level.at)
        place = min(at + 4, place - LINE_HEIGHT)
        yield _tag("line", {"class": level.kind, "x1": x.start, "x2": x.end, "y1": at, "y2": at})
        yield _text(level.label, x.end + 6, place, "start", level.kind)


def _dot(x: Scale, y: Scale, point: Dot) -> Iterable[str]:
    at, low, high = x(point.x), y(point.interval[0]), y(point.interval[1])
    yield _tag("line", {"class": "interval", "x1": at, "x2": at, "y1": low, "y2": high})
    yield _tag("circle", {"class": "dot", "cx": at, "cy": y(point.value), "r": 4})


def _x_axis(x: Scale, ticks: Sequence[tuple[float, str]], label: str) -> Iterable[str]:
    base = HEIGHT - BOTTOM
    yield _tag("line", {"class": "axis", "x1": x.start, "x2": x.end, "y1": base, "y2": base})
    for value, text in ticks:
        yield _tag("line", {"class": "axis", "x1": x(value), "x2": x(value), "y1": base, "y2": base + 4})
        yield _text(text, x(value), base + 17, "middle")
    yield _text(label, (x.start + x.end) / 2, HEIGHT - 4, "middle")


def _lines(x: Scale, lines: Sequence[Line]) -> Iterable[str]:
    base = HEIGHT - BOTTOM
    places = [x(line.at) for line in lines]
    for line, at in zip(lines, places, strict=True):
        if line.interval:
            low, high = (x(end) for end in line.interval)
            yield _tag(
                "rect",
                {"class": "band", "x": low, "y": TOP, "width": max(high - low, 1), "height": base - TOP},
            )
        yield _tag("line", {"class": line.kind, "x1": at, "x2": at, "y1": TOP - 2, "y2": base})
        yield _text(line.label, at, TOP - 7, _anchor(at, places), line.kind)


def _anchor(at: float, places: Sequence[float]) -> str:
    """Turn a line's label away from its neighbours' labels and from the edges."""
    if any(0 < other - at < LABEL_WIDTH for other in places) and at > 0.8 * LABEL_WIDTH:
        return "end"
    if any(0 < at - other < LABEL_WIDTH for other in places) or at < LABEL_WIDTH / 2:
        return "start"
    return "end" if WIDTH - at < LABEL_WIDTH / 2 else "middle"


def _path(x: Scale, y: Scale, index: int, line: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
    return _tag("polyline", {"class": f"series series-{index + 1}", "points": points})


def _names_at_the_end(
    x: Scale, y: Scale, series: Sequence[tuple[str, Sequence[tuple[float, float]]]]
) -> Iterable[str]:
    """From the bottom upwards, none over another."""
    ends = sorted(((y(line[-1][1]), i) for i, (_, line) in enumerate(series)), reverse=True)
    place = float(HEIGHT - BOTTOM + LINE_HEIGHT)
    for end, i in ends:
        place = min(end + 4, place - LINE_HEIGHT)
        yield _text(series[i][0], x.end + 6, place, "start", f"series-{i + 1}")


def _text(text: str, x: float, y: float, anchor: str, kind: str = "") -> str:
    return _tag("text", {"class": kind, "x": x, "y": y, "text-anchor": anchor}, escape(text))


def _tag(name: str, attributes: dict[str, str | float], content: str = "") -> str:
    written = "".join(
        f' {key}="{value:.2f}"' if isinstance(value, float) else f' {key}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value != ""
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _svg(label: str, parts: Iterable[str]) -> SafeString:
    return _wrap(label, WIDTH, HEIGHT, "chart", parts)


def _wrap(label: str, width: int, height: int, kind: str, parts: Iterable[str]) -> SafeString:
    attributes: dict[str, str | float] = {
        "class": kind,
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
        "aria-label": label,
    }
    # Every text went through escape(); the rest is numbers and names from this file.
    return mark_safe(_tag("svg", attributes, "".join(parts)))
