"""From report.json to the tables of a page. Pure: data in, text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METRICS = {"delta_e": "ΔE00", "lpips": "LPIPS", "psnr": "PSNR", "ssim": "SSIM"}
"""In the order of the pages."""
GAIN_DIGITS = {"delta_e": 4, "lpips": 3, "psnr": 2, "ssim": 4}
"""Decimals of a difference in CQS, wherever one is shown."""
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


FOUR = ("d_pp", "d_pn", "d_np", "d_nn")
ORACLE_RESTS = "tuned to do nothing here: no room above the untouched photo"
SAME = 1e-9
"""Relative differences up to it are none: both rows are measured of the same images."""


def is_above_0(metric: str, interval: Sequence[float] | None) -> bool:
    """Whether an interval of a difference in CQS lies above 0 as it is printed.

    An edit too small to be seen has intervals such as [0.00001, 0.00003]: they are above 0 and say nothing.
    """
    return interval is not None and round(float(interval[0]), GAIN_DIGITS[metric]) > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportLine:
    name: str
    note: str
    """What has to be known to read the row; mostly empty."""
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
            of_table = [row for row in rows if (row.get("metric"), row.get("scenes")) == (metric, scenes)]
            lines = [_line(row, oracle_note(row, of_table), has_many_runs) for row in of_table]
            if lines:
                tables.append(ReportTable(title=f"CQS by {metric_words}, {scenes_words}", lines=lines))
    return tables


def oracle_note(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Why the oracle's row is identity's; empty for other rows, and where it edits.

    Args:
        row: of the report.
        rows: those of the same metric and scenes, identity's among them.
    """
    identity = next((other for other in rows if other.get("name") == "identity"), None)
    if row.get("name") != "oracle" or identity is None or any(row.get(d) is None for d in FOUR):
        return ""
    rests = all(math.isclose(float(row[d]), float(identity[d]), rel_tol=SAME, abs_tol=SAME) for d in FOUR)
    return ORACLE_RESTS if rests else ""


def raters_words(n: Any, *, simulated: bool = False) -> str:
    return f"{n} {'simulated ' if simulated else ''}rater{'' if n == 1 else 's'}"


def _line(row: Mapping[str, Any], note: str, has_many_runs: bool) -> ReportLine:
    name = str(row.get("name", ""))
    of_run = f" ({row['run']})" if has_many_runs and row.get("run") else ""
    interval = row.get("cqs_interval")
    return ReportLine(
        name=ROW_WORDS.get(name, name) + of_run,
        note=note,
        is_run=name not in ROW_WORDS,
        cqs=figure(row.get("cqs")),
        interval=f"{figure(interval[0])} to {figure(interval[1])}" if interval else "–",
        alignment=_percent(row.get("alignment")),
        d_p=figure(row.get("d_p")),
        d_n=figure(row.get("d_n")),
        n=f"{row.get('n_judgments', '–')} of {raters_words(row.get('n_raters', '–'))}",
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
