"""The report's one sentence: does the learner read its rater, or does it only do nothing gracefully?"""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.report.contenders import CONTROLS
from evaluation.report_tables import raters_words

TITLES = {"delta_e": "ΔE00", "lpips": "LPIPS", "psnr": "PSNR", "ssim": "SSIM"}


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


def controls_passed(data: Mapping[str, Any], run: str, scenes: str) -> list[str]:
    """The controls that a run passes: its CQS is above the control's on every measured metric."""
    gains = [g for g in data["gains"] if g["run"] == run and g["scenes"] == scenes]
    return [name for name in CONTROLS if _passed([g for g in gains if g["against"] == name])]


def _passed(gains: Sequence[Mapping[str, Any]]) -> bool:
    return bool(gains) and all(gain["passed"] for gain in gains)


def _sentence(data: Mapping[str, Any], run: str, scenes: str) -> str:
    passed = len(controls_passed(data, run, scenes))
    identity = next(
        gain
        for gain in data["gains"]
        if (gain["run"], gain["scenes"], gain["against"], gain["metric"])
        == (run, scenes, "identity", "delta_e")
    )
    return f"{_reading(passed)}; {_against_identity(data, identity)}."


def _reading(passed: int) -> str:
    of = f"{passed} of {len(CONTROLS)} controls"
    if passed == len(CONTROLS):
        return f"Reads its references: {of}"
    return (
        f"Reads its references in part: {of}"
        if passed
        else f"Does not show that it reads its references: {of}"
    )


def _against_identity(data: Mapping[str, Any], gain: Mapping[str, Any]) -> str:
    interval = gain["interval"]
    if interval is None:
        return "with one rater nothing can be said about doing nothing"
    if gain["passed"]:
        return f"better than doing nothing by {_ratio(data, gain)} in CQS on ΔE00"
    if float(interval[1]) < 0:
        return f"worse than doing nothing ({_ratio(data, gain)} in CQS on ΔE00)"
    return f"no better than doing nothing ({_ratio(data, gain)} in CQS on ΔE00, the interval holds 0)"


def _ratio(data: Mapping[str, Any], gain: Mapping[str, Any]) -> str:
    identity = next(
        row
        for row in data["rows"]
        if (row["name"], row["scenes"], row["metric"]) == ("identity", gain["scenes"], gain["metric"])
    )
    percent = 100 * float(gain["cqs_difference"]) / float(identity["cqs"])
    return f"{percent:+.0f} %".replace("-", "−")
