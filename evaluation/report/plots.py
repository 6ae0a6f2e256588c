"""The report's charts as inline SVG: points with their intervals, direct labels, reference lines.

Colours are Okabe and Ito's, which colour-blind people can tell apart. Text and lines
take the page's own colours, so that the charts follow light, dark and print.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#7f7f7f"
INK, FAINT = "#010203", "#040506"
"""Stand for the page's text and line colours until the SVG is written."""
WIDTH, ROW, MARGIN = 4.3, 0.3, 0.5
"""Inches; 100 to an inch of the page."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    label: str
    value: float
    low: float | None = None
    high: float | None = None
    color: str = BLUE
    text: str = ""
    """Printed at the right edge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A vertical reference line."""

    value: float
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    title: str
    svg: str


def points_chart(
    name: str, points: Sequence[Point], *, title: str, axis: str, mark: Mark | None = None
) -> Chart:
    """One row a point, with its interval; `name` is unique on the page."""
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, MARGIN + 0.25 + ROW * len(points)))
        axes = figure.add_axes(_room(points, figure.get_figheight()))
        for row, point in enumerate(reversed(points)):
            if point.low is not None and point.high is not None:
                axes.plot(
                    [point.low, point.high], [row, row], color=point.color, lw=2, solid_capstyle="round"
                )
            axes.plot(point.value, row, "o", color=point.color, ms=6)
            axes.annotate(
                point.text,
                (1.02, row),
                xycoords=("axes fraction", "data"),
                va="center",
                ha="left",
                fontsize=8.5,
            )
        axes.set_yticks(range(len(points)), [point.label for point in reversed(points)])
        axes.set_ylim(-0.6, len(points) - 0.4)
        axes.set_xlabel(axis)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", color=FAINT, lw=0.5, alpha=0.6)
        axes.set_axisbelow(True)
        if mark:
            axes.axvline(mark.value, color=INK, lw=1, ls=(0, (4, 3)))
            axes.annotate(
                mark.label,
                (mark.value, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        return Chart(title=title, svg=_inline(figure, name, title))


def dumbbell_chart(
    name: str, pairs: Sequence[tuple[float, float]], *, title: str, axis: str, labels: tuple[str, str]
) -> Chart:
    """One row a rater: a grey point and a coloured one, joined; rows are sorted by the difference."""
    ordered = sorted(pairs, key=lambda pair: pair[1] - pair[0])
    with rc_context(STYLE | {"svg.hashsalt": name}):
        height = MARGIN + 0.35 + 0.16 * len(ordered)
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0.06, 0.55 / height, 0.9, 1 - 0.75 / height))
        for row, (grey, colored) in enumerate(ordered):
            color = BLUE if colored > grey else ORANGE
            axes.plot([grey, colored], [row, row], color=color, lw=1.5, alpha=0.6)
            axes.plot(grey, row, "o", color=GREY, ms=4.5)
            axes.plot(colored, row, "o", color=color, ms=5.5)
        axes.set_yticks([])
        axes.set_ylim(-0.8, len(ordered) - 0.2)
        axes.set_xlabel(axis)
        axes.grid(axis="x", color=FAINT, lw=0.5, alpha=0.6)
        axes.annotate(
            f"grey: {labels[0]}   coloured: {labels[1]}",
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=8.5,
        )
        return Chart(title=title, svg=_inline(figure, name, title))


def _room(points: Sequence[Point], height: float) -> tuple[float, float, float, float]:
    """Axes left, bottom, width, height as parts of the figure: labels need about 0.075 inches a letter."""
    left = 0.08 + 0.07 * max(len(point.label) for point in points)
    right = 0.1 + 0.066 * max(len(point.text) for point in points)
    return left / WIDTH, 0.5 / height, 1 - (left + right) / WIDTH, 1 - 0.75 / height


def _inline(figure: Figure, name: str, title: str) -> str:
    """The figure's SVG without what only a file needs, in the page's colours and type."""
    name = re.sub(r"[^A-Za-z0-9-]", "-", name)
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    svg = svg.replace(INK, "currentColor").replace(FAINT, "var(--line-strong)")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" class="chart" ', 1)
