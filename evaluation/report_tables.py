"""From report.json to the tables of a page. Pure: data in, text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METRICS = {"delta_e": "ΔE00", "lpips": "LPIPS", "psnr": "PSNR", "ssim": "SSIM"}
"""In the order of the pages."""
SCENES = {"new": "new scenes", "known": "known scenes"}
ROW_WORDS = {
    "identity": "identity: output = input",
    "average_preference": "one average preference for all",
    "oracle": "oracle that knows the simulated taste",
    "control:wrong_rater": "control: another rater's references",
    "control:reversed_pairs": "control: preferred and other swapped",
    "control:mismatched_pairs": "control: mismatched pairs",
    "control:mean_profile": "control: mean profile of the training raters",
    "control:wrong_query": "control: edit computed from another photo",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportLine:
    name: str
    is_run: bool
    cqs: str
    interval: str
    alignment: str
    d_p: str
    d_n: str
    n: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTable:
    title: str
    lines: list[ReportLine]


def report_tables(rows: Sequence[Mapping[str, Any]]) -> list[ReportTable]:
    """One table for each metric and kind of scenes that has rows; new scenes and ΔE00 first."""
    has_many_runs = len({row.get("run") for row in rows} - {None}) > 1
    tables = []
    for scenes, scenes_words in SCENES.items():
        for metric, metric_words in METRICS.items():
            lines = [
                _line(row, has_many_runs)
                for row in rows
                if (row.get("metric"), row.get("scenes")) == (metric, scenes)
            ]
            if lines:
                tables.append(ReportTable(title=f"CQS by {metric_words}, {scenes_words}", lines=lines))
    return tables


def _line(row: Mapping[str, Any], has_many_runs: bool) -> ReportLine:
    name = str(row.get("name", ""))
    of_run = f" ({row['run']})" if has_many_runs and row.get("run") else ""
    interval = row.get("cqs_interval")
    return ReportLine(
        name=ROW_WORDS.get(name, name) + of_run,
        is_run=name not in ROW_WORDS,
        cqs=figure(row.get("cqs")),
        interval=f"{figure(interval[0])} to {figure(interval[1])}" if interval else "–",
        alignment=_percent(row.get("alignment")),
        d_p=figure(row.get("d_p")),
        d_n=figure(row.get("d_n")),
        n=f"{row.get('n_judgments', '–')} of {row.get('n_raters', '–')} raters",
    )


def figure(value: Any) -> str:
    """Three decimals, two from 10 on; what is no number, or infinite, as it stands."""
    if not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if not math.isfinite(value):
        return str(value)
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _percent(value: Any) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, int | float) else "–"
