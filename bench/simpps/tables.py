"""What the benchmark found, as tables for people and rows for programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.timing import row
from evaluation.report.contenders import CONTROLS
from evaluation.report.verdict import controls_passed
from evaluation.report_tables import GAIN_DIGITS

BEGIN, END = "<!-- simpps: tables -->", "<!-- simpps: end of tables -->"
METRICS = {"delta_e": ("ΔE00", 3), "lpips": ("LPIPS", 2), "psnr": ("PSNR", 1), "ssim": ("SSIM", 3)}
"""Titles and digits."""
WANTED = {"clear": 1.3}
"""The oracle's CQS on ΔE00 over identity's; below ENOUGH a level cannot tell learners apart."""
ENOUGH = 1.2
Report = Mapping[str, Any]


def level_table(level: str, report: Report, scenes: str = "new") -> str:
    """One level as Markdown: floors, systems, ceiling."""
    counts = report["episodes"][scenes]
    ratio = float(report["oracle"]["ratio"][scenes])
    metrics = [name for name in METRICS if _found(report, "identity", None, name, scenes)]
    lines = [
        f"### {level}, {scenes} scenes (simulated)",
        "",
        f"{counts['raters']} simulated raters held out, {counts['judgments']} judgments on {counts['scenes']} "
        f"scenes. The oracle's CQS on ΔE00 is {ratio:.2f} times identity's"
        f"{'' if ratio >= ENOUGH else ': too little room to tell learners apart'}.",
        "",
        _line("", *(f"CQS, {METRICS[m][0]}" for m in metrics), *_REST),
        "| --- " * (1 + len(metrics) + len(_REST)) + "|",
        _scored("identity", report, "identity", None, metrics, scenes),
    ]
    for run in [system["run"] for system in report["systems"]]:
        name = next(s["name"] for s in report["systems"] if s["run"] == run)
        lines.append(_scored(f"**{run}**", report, name, run, metrics, scenes))
        lines.append(
            _scored(f"{run}, average preference", report, "average_preference", run, metrics, scenes)
        )
    lines.append(_scored("oracle", report, "oracle", None, metrics, scenes))
    for missing in report["missing"]:
        lines += [
            "",
            f"{METRICS[missing['metric']][0]} was not measured: {missing['why']}; {missing['fix']}.",
        ]
    return "\n".join(lines)


_REST = ("over identity, ΔE00", "of the oracle's gain", "controls", "alignment", "d_np", "d_pp")


def control_table(level: str, report: Report, scenes: str = "new") -> str:
    """Correct minus control of each run on each metric."""
    metrics = [name for name in METRICS if _found(report, "identity", None, name, scenes)]
    lines = [
        f"Correct minus control, {level}, {scenes} scenes, with 95 % intervals; bold where the interval is above 0:",
        "",
        _line("", "control", *(METRICS[m][0] for m in metrics)),
        "| --- " * (2 + len(metrics)) + "|",
    ]
    for run in [system["run"] for system in report["systems"]]:
        for control in CONTROLS:
            gains = [_gain(report, run, control, metric, scenes) for metric in metrics]
            words = control.removeprefix("control:").replace("_", " ")
            cells = [
                _difference(gain, GAIN_DIGITS[metric]) for gain, metric in zip(gains, metrics, strict=True)
            ]
            lines.append(_line(run, words, *cells))
    return "\n".join(lines)


def cost_table(
    systems: Sequence[str], trained: Mapping[str, Sequence[float]], speeds: Mapping[str, Mapping[str, Any]]
) -> str:
    """Seconds and bytes of each system; `trained` has the seconds of its trainings."""
    lines = [
        _line("", "to train", "to adapt to 16 answers", "512²", "12 MP", "bytes of a rater"),
        "| --- " * 6 + "|",
    ]
    for system in systems:
        seconds, speed = trained.get(system, ()), speeds.get(system, {})
        train = "–" if not seconds else seconds_words(sum(seconds) / len(seconds))
        if not speed:
            lines.append(_line(system, train, "–", "–", "–", "–"))
            continue
        large = speed["render_large_seconds"]
        large_words = (
            f"about {seconds_words(speed['large_estimate'])}, from 512²"
            if large is None
            else f"{seconds_words(large)}, by {speed['large_by']}"
        )
        lines.append(
            _line(
                system,
                train,
                seconds_words(speed["adapt_seconds"]),
                seconds_words(speed["render_seconds"]),
                large_words,
                f"{speed['profile_bytes']:,}",
            )
        )
    return "\n".join(lines)


def bench_rows(level: str, report: Report, scenes: str = "new") -> list[dict[str, Any]]:
    """The oracle and each run beside identity, as rows of a measurement."""
    identity = _found(report, "identity", None, "delta_e", scenes)
    assert identity is not None
    of_identity = float(identity["cqs"])

    def beside_identity(name: str, found: Mapping[str, Any], goal: float) -> dict[str, Any]:
        return row(
            f"simulated, {level}, {scenes} scenes: {name}",
            ours=float(found["cqs"]),
            peer=of_identity,
            peer_name="identity",
            goal=goal,
            better="higher",
            unit="CQS",
        )

    oracle = _found(report, "oracle", None, "delta_e", scenes)
    found: list[dict[str, Any]] = []
    if oracle:
        found.append(beside_identity("oracle", oracle, WANTED.get(level, ENOUGH)))
    for system in report["systems"]:
        own = _found(report, system["name"], system["run"], "delta_e", scenes)
        assert own is not None
        found.append(beside_identity(system["run"], own, 1.0))
    return found


def write_docs(path: Path, text: str) -> None:
    """Put the tables between the page's markers.

    Raises:
        ValueError: the page has no markers.
    """
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no place for the tables: it needs the lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def seconds_words(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _scored(
    words: str, report: Report, name: str, run: str | None, metrics: Sequence[str], scenes: str
) -> str:
    rows = {metric: _found(report, name, run, metric, scenes) for metric in metrics}
    on_delta_e = rows["delta_e"]
    if on_delta_e is None:
        return _line(words, *("–" for _ in (*metrics, *_REST)))
    is_system = run is not None and name != "average_preference"
    gain = _gain(report, run, "identity", "delta_e", scenes) if is_system else None
    passed = f"{len(controls_passed(report, run, scenes))} of {len(CONTROLS)}" if is_system and run else ""
    return _line(
        words,
        *(_cqs(found, METRICS[metric][1]) for metric, found in rows.items()),
        _difference(gain, 3) if gain else "",
        _share(report, on_delta_e, scenes) if name not in ("identity", "oracle") else "",
        passed,
        _alignment(on_delta_e),
        f"{float(on_delta_e['d_np']):.2f}",
        f"{float(on_delta_e['d_pp']):.2f}",
    )


def _share(report: Report, found: Mapping[str, Any], scenes: str) -> str:
    """Of the way from identity's CQS on ΔE00 to the oracle's."""
    identity, oracle = (_found(report, name, None, "delta_e", scenes) for name in ("identity", "oracle"))
    if not identity or not oracle or float(oracle["cqs"]) <= float(identity["cqs"]):
        return "–"
    room = float(oracle["cqs"]) - float(identity["cqs"])
    return f"{100 * (float(found['cqs']) - float(identity['cqs'])) / room:.0f} %".replace("-", "−")


def _cqs(found: Mapping[str, Any] | None, digits: int) -> str:
    if found is None:
        return "–"
    interval = found.get("cqs_interval")
    around = f" [{float(interval[0]):.{digits}f}, {float(interval[1]):.{digits}f}]" if interval else ""
    return f"{float(found['cqs']):.{digits}f}{around}"


def _alignment(found: Mapping[str, Any]) -> str:
    interval = found.get("alignment_interval")
    around = f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]" if interval else ""
    return f"{100 * float(found['alignment']):.0f} %{around}"


def _difference(gain: Mapping[str, Any] | None, digits: int) -> str:
    if gain is None:
        return "–"
    text = f"{float(gain['cqs_difference']):+.{digits}f}"
    if gain["interval"]:
        low, high = map(float, gain["interval"])
        text += f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"**{text}**".replace("-", "−") if gain.get("passed") else text.replace("-", "−")


def _found(report: Report, name: str, run: str | None, metric: str, scenes: str) -> Mapping[str, Any] | None:
    wanted = (name, run, metric, scenes)
    rows = report["rows"]
    return next((r for r in rows if (r["name"], r["run"], r["metric"], r["scenes"]) == wanted), None)


def _gain(
    report: Report, run: str | None, against: str, metric: str, scenes: str
) -> Mapping[str, Any] | None:
    wanted = (run, against, metric, scenes)
    gains = report["gains"]
    return next((g for g in gains if (g["run"], g["against"], g["metric"], g["scenes"]) == wanted), None)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
