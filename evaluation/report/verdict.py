"""The report's one sentence: does the learner read its rater, or does it only do nothing gracefully?

It is about every metric that was measured, and names those that were not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.report.contenders import CONTROLS
from evaluation.report_tables import METRICS, raters_words

TITLES = METRICS
WORDS = {name: name.partition(":")[2].replace("_", " ") for name in CONTROLS}
FEW = 2
"""Up to so many failed controls are named."""


def verdict_of(data: Mapping[str, Any]) -> str:
    """One sentence for each run, from the gains on new scenes (known ones where there are no new)."""
    scenes = "new" if any(row["scenes"] == "new" for row in data["rows"]) else "known"
    people = raters_words(data["episodes"][scenes]["raters"], simulated=data["simulated"])
    runs = [system["run"] for system in data["systems"]]
    if not runs:
        return "No system was evaluated."
    sentences = [_sentence(data, run, scenes) for run in runs]
    if len(runs) > 1:
        sentences = [f"{run}: {sentence}" for run, sentence in zip(runs, sentences, strict=True)]
    return f"{' '.join(sentences)} ({people}, {scenes} scenes.)"


def verdicts_of(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """The sentence of each run by itself."""
    scenes = "new" if any(row["scenes"] == "new" for row in data["rows"]) else "known"
    return [
        {"run": system["run"], "sentence": _sentence(data, system["run"], scenes)}
        for system in data["systems"]
    ]


def controls_passed(data: Mapping[str, Any], run: str, scenes: str) -> list[str]:
    """The controls that a run passes: its CQS is above the control's on every measured metric."""
    gains = [g for g in data["gains"] if g["run"] == run and g["scenes"] == scenes]
    return [name for name in CONTROLS if _passed([g for g in gains if g["against"] == name])]


def _passed(gains: Sequence[Mapping[str, Any]]) -> bool:
    return bool(gains) and all(gain["passed"] for gain in gains)


def _sentence(data: Mapping[str, Any], run: str, scenes: str) -> str:
    against = [
        gain
        for gain in data["gains"]
        if (gain["run"], gain["scenes"], gain["against"]) == (run, scenes, "identity")
    ]
    if any(gain["interval"] is None for gain in against):
        return "With one rater nothing can be said: intervals and controls need at least two."
    return f"{_reading(data, run, scenes)}; {_against_identity(data, against)}."


def _reading(data: Mapping[str, Any], run: str, scenes: str) -> str:
    passed = controls_passed(data, run, scenes)
    failed = [WORDS[name] for name in CONTROLS if name not in passed]
    of = f"{len(passed)} of {len(CONTROLS)} controls on {_metrics_words(data, run, scenes)}"
    if not failed:
        return f"Reads its references: {of}"
    if not passed:
        return f"Does not show that it reads its references: {of}"
    named = f", not {' and '.join(failed)}" if len(failed) <= FEW else ""
    return f"Reads its references in part: {of}{named}"


def _metrics_words(data: Mapping[str, Any], run: str, scenes: str) -> str:
    measured = {g["metric"] for g in data["gains"] if (g["run"], g["scenes"]) == (run, scenes)}
    absent = [TITLES.get(m["metric"], m["metric"]) for m in data.get("missing", ())]
    number = f"{len(measured)} metric{'' if len(measured) == 1 else 's'}"
    return f"{number} ({' and '.join(absent)} missing)" if absent else number


def _against_identity(data: Mapping[str, Any], gains: Sequence[Mapping[str, Any]]) -> str:
    """By every metric: where the interval lies above 0, below it, or holds it."""
    better = [g for g in gains if g["passed"]]
    # Rounding of equal rows is no harm done.
    worse = [g for g in gains if not g["passed"] and float(g["interval"][1]) < -1e-9]
    if len(better) == len(gains):
        return f"better than doing nothing on all of them ({_ratios(data, better)} in CQS)"
    if better:
        rest = [g for g in gains if g not in better]
        return f"better than doing nothing on {_ratios(data, better)} in CQS, not on {_ratios(data, rest)}"
    if len(worse) == len(gains):
        return f"worse than doing nothing on all of them ({_ratios(data, worse)} in CQS)"
    if worse:
        return f"no better than doing nothing, and worse on {_ratios(data, worse)} in CQS"
    return f"no better than doing nothing ({_ratios(data, gains[:1])} in CQS, the interval holds 0)"


def _ratios(data: Mapping[str, Any], gains: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{TITLES.get(g['metric'], g['metric'])} {_ratio(data, g)}" for g in gains)


def _ratio(data: Mapping[str, Any], gain: Mapping[str, Any]) -> str:
    identity = next(
        row
        for row in data["rows"]
        if (row["name"], row["scenes"], row["metric"]) == ("identity", gain["scenes"], gain["metric"])
    )
    percent = 100 * float(gain["cqs_difference"]) / float(identity["cqs"])
    digits = 0 if abs(percent) >= 1 else 1
    text = f"{percent:+.{digits}f}"
    return f"{'0' if float(text) == 0 else text} %".replace("-", "−")
