"""The curves of an ablation as files, readable on light and dark pages alike: black on white, in any viewer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's, which colour-blind people can tell apart."""
MARKERS = "osD^vPX"
TITLES = {"delta_e": "ΔE00", "lpips": "LPIPS", "psnr": "PSNR", "ssim": "SSIM"}
AXES = {"raters": "training raters", "references": "references of a new rater (N)"}
SCENES = ("new", "known")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    name: str
    """Of the files, without .png or .svg."""
    title: str
    alt: str


def draw_curves(data: Mapping[str, Any], out: Path) -> list[Figure]:
    """One figure for each metric, kind of scenes and axis that has two values or more; PNG and SVG."""
    varied = [along for along in AXES if len({cell[along] for cell in data["cells"]}) > 1]
    return [
        _draw(data, out, metric, scenes, along)
        for scenes in SCENES
        for metric in _metrics(data, scenes)
        for along in varied
    ]


def row_of(cell: Mapping[str, Any], name: str, metric: str, scenes: str) -> Mapping[str, Any] | None:
    wanted = (name, metric, scenes)
    return next((r for r in cell["rows"] if (r["name"], r["metric"], r["scenes"]) == wanted), None)


def _metrics(data: Mapping[str, Any], scenes: str) -> list[str]:
    return list(
        dict.fromkeys(r["metric"] for cell in data["cells"] for r in cell["rows"] if r["scenes"] == scenes)
    )


def _draw(data: Mapping[str, Any], out: Path, metric: str, scenes: str, along: str) -> Figure:
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    across = next(name for name in AXES if name != along)
    style: dict[Any, Any] = {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "ablation",
    }
    with rc_context(style):
        canvas = Canvas(figsize=(6.4, 4.6), layout="constrained", facecolor="white")
        axes = canvas.add_subplot(facecolor="white")
        ticks = sorted({cell[along] for cell in data["cells"]})
        for number, (label, cells) in enumerate(_lines(data["cells"], across).items()):
            points = [(cell[along], row_of(cell, cell["system"], metric, scenes)) for cell in cells]
            found = sorted(((x, row) for x, row in points if row), key=lambda point: point[0])
            x = [point[0] for point in found]
            y = [float(row["cqs"]) for _, row in found]
            color = COLORS[number % len(COLORS)]
            # Lines side by side, or their intervals would hide one another.
            shift = [value * (1 + 0.012 * number) for value in x]
            if all(row["cqs_interval"] for _, row in found):
                low = [v - float(row["cqs_interval"][0]) for v, (_, row) in zip(y, found, strict=True)]
                high = [float(row["cqs_interval"][1]) - v for v, (_, row) in zip(y, found, strict=True)]
                axes.errorbar(shift, y, yerr=[low, high], fmt="none", ecolor=color, elinewidth=1, capsize=3)
            axes.plot(shift, y, MARKERS[number % len(MARKERS)] + "-", color=color, label=label, ms=6, lw=1.5)
        identity = row_of(data["cells"][0], "identity", metric, scenes)
        if identity:
            axes.axhline(float(identity["cqs"]), color="#555555", lw=1, ls=(0, (4, 3)), label="identity")
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(AXES[along])
        axes.set_ylabel(f"CQS on {TITLES[metric]}, higher is better")
        axes.grid(axis="y", color="#dddddd", lw=0.6)
        canvas.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
        mark = "SIMULATED raters, " if data["simulated"] else ""
        title = f"{mark}{scenes} scenes, 95 % intervals over raters"
        axes.set_title(title, fontsize=10, loc="left")
        name = f"curve-{scenes}-{metric}-{along}"
        canvas.savefig(out / f"{name}.png", dpi=150)
        canvas.savefig(out / f"{name}.svg", metadata={"Date": None})
    return Figure(
        name=name,
        title=f"CQS on {TITLES[metric]}, {scenes} scenes",
        alt=f"CQS on {TITLES[metric]} on {scenes} scenes against the number of {AXES[along]}; figures stand in the table",
    )


def _lines(cells: Sequence[Mapping[str, Any]], across: str) -> dict[str, list[Mapping[str, Any]]]:
    """Cells by switch and by the number that is not on the axis."""
    several_switches = len({cell["switch"] for cell in cells}) > 1
    several = len({cell[across] for cell in cells}) > 1
    found: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        words = [cell["switch"]] if several_switches else []
        words += [f"{cell[across]} {'raters' if across == 'raters' else 'references'}"] if several else []
        found.setdefault(", ".join(words) or cell["system"], []).append(cell)
    return found
