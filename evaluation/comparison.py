"""Runs beside each other, and reports beside each other. Pure: what folders and report.json hold in, tables out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collection.design.intervals import proportion_interval
from collection.design.wording import percents
from evaluation.metrics.cqs import FOUR, Distances, score
from evaluation.metrics.intervals import bootstrap_weights, cqs_difference_interval
from evaluation.report_tables import METRICS, ROW_WORDS, SCENES, figure
from learning.loss_charts import loss_words
from learning.run_folder import Curve

CONTROL = "control:"
LOWER_IS_BETTER = ("delta_e", "lpips")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a table, with a cell for each of what is compared."""

    name: str
    cells: tuple[str, ...]


def settings_that_differ(configs: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Settings of runs, under names with dots, that are not the same in all; `–` where a run lacks one."""
    names = dict.fromkeys(name for config in configs for name in config)
    lines = []
    for name in names:
        cells = tuple(str(config[name]) if name in config else "–" for config in configs)
        if len(set(cells)) > 1:
            lines.append(Line(name=name, cells=cells))
    return lines


def last_losses(runs: Sequence[Sequence[Curve]]) -> list[Line]:
    """The last logged value of each loss."""
    last = [{curve.name: curve.points[-1][1] for curve in curves} for curves in runs]
    names = dict.fromkeys(name for losses in last for name in losses)
    return [
        Line(name=loss_words(name), cells=tuple(figure(losses.get(name)) for losses in last))
        for name in names
    ]


def cqs_lines(rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[Line]:
    """CQS with its interval for each metric and kind of scenes; `rows` are each run's own of its report."""
    lines = []
    for scenes, scenes_words in SCENES.items():
        for metric, metric_words in METRICS.items():
            found = [_row(of_run, metric, scenes) for of_run in rows]
            if any(found):
                cells = tuple(_cqs(row) for row in found)
                lines.append(Line(name=f"{metric_words}, {scenes_words}", cells=cells))
    return lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    name: str
    first: str
    second: str
    difference: str
    """Of the pooled CQS, second minus first, with its 95 % interval: paired, over the same raters."""
    raters: str
    """For how many raters the second is higher, with the interval of that part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportComparison:
    why_apart: str
    """Why the two cannot be held against each other; empty where they can."""
    tables: list[tuple[str, list[Difference]]]


def compare_reports(first: Mapping[str, Any], second: Mapping[str, Any]) -> ReportComparison:
    """The rows of two reports side by side, and their differences where both measured the same judgments.

    Rows are matched by name, and by run where both reports have the run; a learner's own row by its system
    where each report has one.
    """
    why_apart = _why_apart(first, second)
    tables = []
    for scenes, scenes_words in SCENES.items():
        for metric, metric_words in METRICS.items():
            ours, theirs = (_by_name(data, metric, scenes) for data in (first, second))
            lines = [
                _difference(name, ours.get(name), theirs.get(name), (first, second), comparable=not why_apart)
                for name in dict.fromkeys([*ours, *theirs])
            ]
            if lines:
                tables.append((f"CQS by {metric_words}, {scenes_words}", lines))
    return ReportComparison(why_apart=why_apart, tables=tables)


def report_rows(data: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The rows of report.json as columns and cells, for a CSV."""
    columns = (
        *("run", "name", "metric", "scenes", "cqs", "cqs_low", "cqs_high", "alignment", "alignment_low"),
        *("alignment_high", "d_p", "d_n", "n_judgments", "n_raters", "simulated"),
    )
    simulated = "simulated" if data.get("simulated") else "people"
    rows = []
    for row in data["rows"]:
        low, high = row.get("cqs_interval") or (None, None)
        aligned_low, aligned_high = row.get("alignment_interval") or (None, None)
        known = row | {"cqs_low": low, "cqs_high": high, "simulated": simulated}
        known |= {"alignment_low": aligned_low, "alignment_high": aligned_high}
        rows.append(tuple("" if known.get(name) is None else str(known[name]) for name in columns))
    return columns, rows


def _row(rows: Sequence[Mapping[str, Any]], metric: str, scenes: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if (row.get("metric"), row.get("scenes")) == (metric, scenes)), None)


def _cqs(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    interval = row.get("cqs_interval")
    around = f" ({figure(interval[0])} to {figure(interval[1])})" if interval else ""
    return f"{figure(row.get('cqs'))}{around}"


def _why_apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    datasets = [data.get("dataset", {}).get("sha256") for data in (first, second)]
    if datasets[0] != datasets[1] or datasets[0] is None:
        return "they are of different datasets"
    if first.get("protocol") != second.get("protocol"):
        return "they were made by different protocols, so that other judgments were measured"
    for scenes, words in SCENES.items():
        if why := _other_judgments(first, second, scenes):
            return f"on {words} {why}"
    return ""


def _other_judgments(first: Mapping[str, Any], second: Mapping[str, Any], scenes: str) -> str:
    """Why two reports did not measure the same judgments of the same raters; empty where they did."""
    counts = [(data.get("episodes") or {}).get(scenes) or {} for data in (first, second)]
    hashes = [count.get("queries_sha256") for count in counts]
    if None not in hashes and hashes[0] != hashes[1]:
        return "they measured other judgments"
    raters = [
        {
            one["rater_id"]: one.get("n_judgments")
            for one in data.get("per_rater", ())
            if one["scenes"] == scenes
        }
        for data in (first, second)
    ]
    if all(raters) and raters[0] != raters[1]:
        return "they measured other raters, or other numbers of their judgments"
    return ""


def _by_name(data: Mapping[str, Any], metric: str, scenes: str) -> dict[str, Mapping[str, Any]]:
    """Rows by what they are called; with several runs, each of a run carries its run's name."""
    rows = [row for row in data["rows"] if (row.get("metric"), row.get("scenes")) == (metric, scenes)]
    has_many = len({row.get("run") for row in rows} - {None}) > 1
    return {_key(row, has_many): row for row in rows}


def _key(row: Mapping[str, Any], has_many: bool) -> str:
    name = str(row.get("name", ""))
    return f"{name} ({row['run']})" if has_many and row.get("run") else name


def _difference(
    name: str,
    ours: Mapping[str, Any] | None,
    theirs: Mapping[str, Any] | None,
    reports: tuple[Mapping[str, Any], Mapping[str, Any]],
    *,
    comparable: bool,
) -> Difference:
    difference, raters = "–", "–"
    if comparable and ours and theirs:
        second, first = theirs.get("cqs"), ours.get("cqs")
        if isinstance(second, int | float) and isinstance(first, int | float):
            difference = _signed(second - first) + _paired_interval(ours, theirs, reports)
        raters = _raters_higher(ours, theirs, reports)
    return Difference(
        name=ROW_WORDS.get(name, name),
        first=_cqs(ours),
        second=_cqs(theirs),
        difference=difference,
        raters=raters,
    )


def _raters_higher(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    reports: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> str:
    """Raters of whom both have a CQS, those with the same one left out: a sign test's counts."""
    first, second = (_per_rater(data, row) for data, row in zip(reports, (ours, theirs), strict=True))
    apart = [rater for rater in first.keys() & second.keys() if first[rater] != second[rater]]
    if not apart:
        return "–"
    higher = sum(second[rater] > first[rater] for rater in apart)
    return f"{higher} of {len(apart)}, {percents(proportion_interval(higher, len(apart)))}"


def _paired_interval(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    reports: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> str:
    """Of second minus first; empty for reports that lack the distances."""
    found = paired_difference(*reports, ours, theirs)
    if found is None or not found["interval"]:
        return ""
    low, high = found["interval"]
    return f" ({_signed(low)} to {_signed(high)})"


def paired_difference(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    ours: Mapping[str, Any] | None,
    theirs: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """CQS of a row of the second report minus that of a row of the first, both drawn again by the same raters.

    Args:
        first: a report, with `per_rater` and `protocol` as in report.json.
        second: another one.
        ours: a row of the first.
        theirs: a row of the second.

    Returns:
        `difference` and `interval`, None for a single rater; None where the raters or the numbers of their
        judgments differ, or the reports do not hold each rater's distances.
    """
    if ours is None or theirs is None:
        return None
    lower = str(ours.get("metric")) in LOWER_IS_BETTER
    before, after = _distances(first, ours, lower), _distances(second, theirs, lower)
    if before is None or after is None or before[0] != after[0]:
        return None
    seed = int((first.get("protocol") or {}).get("seed", 0))
    weights = bootstrap_weights(len(before[0]), seed=seed)
    interval = cqs_difference_interval(after[1], before[1], weights)
    return {
        "difference": score(after[1]).cqs - score(before[1]).cqs,
        "interval": list(interval) if interval else None,
    }


def _distances(
    data: Mapping[str, Any], row: Mapping[str, Any], lower: bool
) -> tuple[list[tuple[str, int]], Distances] | None:
    """The raters with their numbers of judgments, and each one's mean distances as often: a bootstrap needs no more."""
    key = tuple(row.get(name) for name in ("run", "name", "metric", "scenes"))
    lines = sorted(
        (
            one
            for one in data.get("per_rater", ())
            if tuple(one.get(name) for name in ("run", "name", "metric", "scenes")) == key
        ),
        key=lambda one: str(one["rater_id"]),
    )
    if not lines or any(one.get(name) is None for one in lines for name in (*FOUR, "n_judgments")):
        return None
    counts = [int(one["n_judgments"]) for one in lines]
    means = {name: np.repeat([float(one[name]) for one in lines], counts) for name in FOUR}
    rater = np.repeat(np.arange(len(lines)), counts)
    raters = [(str(one["rater_id"]), n) for one, n in zip(lines, counts, strict=True)]
    return raters, Distances(**means, rater=rater, lower_is_better=lower)


def _per_rater(data: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, float]:
    key = tuple(row.get(name) for name in ("run", "name", "metric", "scenes"))
    return {
        one["rater_id"]: float(one["cqs"])  # `inf` stands as a text
        for one in data.get("per_rater", ())
        if tuple(one.get(name) for name in ("run", "name", "metric", "scenes")) == key
        and one.get("cqs") is not None
    }


def _signed(value: float) -> str:
    text = f"{value:+.3f}".replace("-", "−")
    return text if any(digit in text for digit in "123456789") else "0.000"
