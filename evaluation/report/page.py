"""report.html: one file that needs no other, drawn from what report.json holds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from evaluation.report.contenders import CONTROLS
from evaluation.report.pictures import Example
from evaluation.report.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Chart,
    Mark,
    Point,
    dumbbell_chart,
    points_chart,
)
from evaluation.report.published import PUBLISHED
from evaluation.report.verdict import controls_passed
from evaluation.report_tables import GAIN_DIGITS, oracle_note, raters_words

METRICS = {"delta_e": "ΔE00", "lpips": "LPIPS", "psnr": "PSNR", "ssim": "SSIM"}
SCENES = {
    "new": "New scenes: photos that nothing was trained on",
    "known": "Known scenes: photos that training raters answered",
}
WORDS = {
    "identity": "identity",
    "average_preference": "average preference",
    "oracle": "oracle",
    "control:wrong_rater": "wrong rater",
    "control:reversed_pairs": "reversed pairs",
    "control:mismatched_pairs": "mismatched pairs",
    "control:mean_profile": "mean profile",
    "control:wrong_query": "wrong query",
}
MEANINGS = {
    "identity": "output = input: doing nothing",
    "average_preference": "the same learner, one mix of everybody's references for all",
    "oracle": "knows the simulated taste; has never seen the renditions",
    "control:wrong_rater": "other raters' references, all in turn",
    "control:reversed_pairs": "preferred and other swapped in the references",
    "control:mismatched_pairs": "each preferred image beside the next pair's other image",
    "control:mean_profile": "the mean profile of the training raters",
    "control:wrong_query": "the edit computed from another photo",
}
DIGITS = {"delta_e": 3, "lpips": 2, "psnr": 2, "ssim": 3}
FIDELITY_DIGITS = {"delta_e": 2, "lpips": 3, "psnr": 1, "ssim": 3}
Data = Mapping[str, Any]


def environment() -> Environment:
    """The templates of reports, with the filters that they use."""
    made = Environment(
        loader=PackageLoader("evaluation.report", "."),
        autoescape=select_autoescape(["j2", "html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"figure": figure, "interval": interval, "share": share, "raters": raters_words}
    made.filters |= {"seconds": seconds, "size": size, "count": count}
    return made


def page_html(data: Data, examples: Sequence[Example]) -> str:
    """The whole page as text."""
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            examples=examples,
            metrics=[METRICS[metric["name"]] for metric in data["metrics"]],
            metric_names=[metric["name"] for metric in data["metrics"]],
            titles=METRICS,
            gain_digits=GAIN_DIGITS,
            words=WORDS,
            meanings=MEANINGS,
            headline=_headline(data),
            sections=[_section(data, scenes) for scenes in SCENES if scenes in data["episodes"]],
            published=PUBLISHED,
            n_controls=len(CONTROLS),
        )
    )
    return re.sub(r"(?<=\d) %", "\u00a0%", page)  # a narrow page would part number and sign


def figure(value: Any, digits: int = 3) -> str:
    """A number for people: a true minus, `∞` for infinity, a dash for what is not known."""
    if value is None:
        return "–"
    number = float(value)
    if number in (float("inf"), float("-inf")):
        return "∞" if number > 0 else "−∞"
    text = f"{number:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def interval(ends: Sequence[Any] | None, digits: int = 3) -> str:
    return f"{figure(ends[0], digits)} to {figure(ends[1], digits)}" if ends else "–"


def share(value: Any) -> str:
    return f"{100 * float(value):.0f} %"


def seconds(value: Any) -> str:
    """A time for people: 3.2 ms, 0.41 s, 12 s, 5 min, 2.5 h."""
    if value is None:
        return "–"
    if value < 1e-5:
        return "< 0.01 ms"
    if value < 0.1:
        return f"{1000 * value:.3g} ms"
    if value < 120:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def size(n_bytes: Any) -> str:
    if n_bytes is None:
        return "–"
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} B"


def count(n: Any) -> str:
    return "–" if n is None else f"{n:,}".replace(",", " ")


def _headline(data: Data) -> list[dict[str, Any]]:
    """The few numbers of each run that stand at the top."""
    scenes = next(iter(data["episodes"]))
    identity = _row(data, None, "identity", "delta_e", scenes)
    found = []
    for system in data["systems"]:
        row = _row(data, system["run"], system["name"], "delta_e", scenes)
        found.append(
            {
                "system": system,
                "scenes": scenes,
                "row": row,
                "identity": identity,
                "ratio": float(row["cqs"]) / float(identity["cqs"]),
                "controls": controls_passed(data, system["run"], scenes),
                "prediction": next(
                    (
                        p
                        for p in data.get("predictions", ())
                        if (p["run"], p["name"], p["scenes"]) == (system["run"], system["name"], scenes)
                    ),
                    None,
                ),
            }
        )
    return found


def _section(data: Data, scenes: str) -> dict[str, Any]:
    """What the page shows of one kind of scenes: the table, the charts, the controls."""
    return {
        "scenes": scenes,
        "title": SCENES[scenes],
        "counts": data["episodes"][scenes],
        "table": [_line(data, row, scenes) for row in _main_rows(data, scenes)],
        "controls": [_line(data, row, scenes) for row in _control_rows(data, scenes)],
        "cqs_charts": [_cqs_chart(data, metric, scenes) for metric in _metrics(data)],
        "gain_charts": [
            _gain_chart(data, metric, scenes, system["run"])
            for system in data["systems"]
            for metric in _metrics(data)
        ],
        "alignment_chart": _alignment_chart(data, scenes),
        "fidelity": [_fidelity_line(data, row, scenes) for row in _main_rows(data, scenes)],
        "predictions": [p for p in data.get("predictions", ()) if p["scenes"] == scenes],
        "fidelity_charts": [_fidelity_chart(data, name, scenes) for name in ("d_np", "d_pp")],
        "rater_charts": [_rater_chart(data, system, scenes) for system in data["systems"]],
        "gains": [gain for gain in data["gains"] if gain["scenes"] == scenes],
        "per_rater": _per_rater_lines(data, scenes),
    }


def _metrics(data: Data) -> list[str]:
    return [metric["name"] for metric in data["metrics"]]


def _row(data: Data, run: str | None, name: str, metric: str, scenes: str) -> Data:
    found: Data = next(
        row
        for row in data["rows"]
        if (row["run"], row["name"], row["metric"], row["scenes"]) == (run, name, metric, scenes)
    )
    return found


def _main_rows(data: Data, scenes: str) -> list[Data]:
    """Ceiling, learners, average preference, floor: one row each, by the first metric."""
    rows = [r for r in _first_metric(data, scenes) if r["name"] not in CONTROLS]
    order = {"oracle": 0, "average_preference": 2, "identity": 3}
    return sorted(rows, key=lambda row: order.get(row["name"], 1))


def _control_rows(data: Data, scenes: str) -> list[Data]:
    return [row for row in _first_metric(data, scenes) if row["name"] in CONTROLS]


def _first_metric(data: Data, scenes: str) -> list[Data]:
    first = _metrics(data)[0]
    return [row for row in data["rows"] if (row["scenes"], row["metric"]) == (scenes, first)]


def _line(data: Data, row: Data, scenes: str) -> dict[str, Any]:
    """A contender with its row for each metric."""
    return {
        "name": _name(data, row),
        "meaning": MEANINGS.get(row["name"], ""),
        "note": oracle_note(row, _first_metric(data, scenes)),
        "is_learner": row["name"] not in WORDS,
        "rows": [_row(data, row["run"], row["name"], metric, scenes) for metric in _metrics(data)],
        "digits": [DIGITS[metric] for metric in _metrics(data)],
    }


def _fidelity_line(data: Data, row: Data, scenes: str) -> dict[str, Any]:
    """Direct fidelity and preservation of a contender by every metric."""
    return {
        "name": _name(data, row),
        "is_learner": row["name"] not in WORDS,
        "rows": [_row(data, row["run"], row["name"], metric, scenes) for metric in _metrics(data)],
        "digits": [FIDELITY_DIGITS[metric] for metric in _metrics(data)],
    }


def _name(data: Data, row: Data) -> str:
    name = WORDS.get(row["name"], str(row["name"]))
    several = len(data["systems"]) > 1
    return f"{name} ({row['run']})" if several and row["run"] else name


def _color(name: str) -> str:
    return {"identity": GREY, "average_preference": GREY, "oracle": GREEN}.get(name, BLUE)


def _cqs_chart(data: Data, metric: str, scenes: str) -> Chart:
    identity = _row(data, None, "identity", metric, scenes)
    rows = [_row(data, r["run"], r["name"], metric, scenes) for r in _main_rows(data, scenes)]
    points = [_point(data, row, "cqs", DIGITS[metric]) for row in rows if _is_finite(row["cqs"])]
    mark = Mark(value=float(identity["cqs"]), label="identity") if _is_finite(identity["cqs"]) else None
    return points_chart(
        f"cqs-{scenes}-{metric}",
        points,
        title=f"CQS on {METRICS[metric]}",
        axis=f"CQS, higher is better (n = {raters_words(identity['n_raters'])})",
        mark=mark,
    )


def _point(data: Data, row: Data, value: str, digits: int) -> Point:
    low, high = _ends(row[f"{value}_interval"])
    return Point(
        label=_name(data, row),
        value=float(row[value]),
        low=low,
        high=high,
        color=_color(row["name"]),
        text=figure(row[value], digits),
    )


def _gain_chart(data: Data, metric: str, scenes: str, run: str) -> Chart:
    gains = [g for g in data["gains"] if (g["metric"], g["scenes"], g["run"]) == (metric, scenes, run)]
    points = [
        Point(
            label=WORDS.get(g["against"], g["against"].replace("run:", "run ")),
            value=float(g["cqs_difference"]),
            low=_ends(g["interval"])[0],
            high=_ends(g["interval"])[1],
            color=BLUE if g["passed"] else ORANGE,
            text=("+" if float(g["cqs_difference"]) > 0 else "")
            + figure(g["cqs_difference"], GAIN_DIGITS[metric]),
        )
        for g in gains
        if _is_finite(g["cqs_difference"])
    ]
    several = f", {run}" if len(data["systems"]) > 1 else ""
    return points_chart(
        f"gain-{scenes}-{metric}-{run}",
        points,
        title=f"{METRICS[metric]}: correct minus …{several}",
        axis=f"difference in CQS (n = {raters_words(data['episodes'][scenes]['raters'])}, paired)",
        mark=Mark(value=0.0, label="no difference"),
    )


def _alignment_chart(data: Data, scenes: str) -> Chart:
    rows = [r for r in _first_metric(data, scenes) if r["name"] != "identity"]
    points = [
        Point(
            label=_name(data, row),
            value=100 * row["alignment"],
            low=100 * row["alignment_interval"][0] if row["alignment_interval"] else None,
            high=100 * row["alignment_interval"][1] if row["alignment_interval"] else None,
            color=ORANGE if row["name"] in CONTROLS else _color(row["name"]),
            text=share(row["alignment"]),
        )
        for row in rows
    ]
    n = data["episodes"][scenes]["judgments"]
    return points_chart(
        f"alignment-{scenes}",
        points,
        title="Alignment: nearer to the preferred image",
        axis=f"% of judgments (n = {n}), by {METRICS[_metrics(data)[0]]}",
        mark=Mark(value=50.0, label="chance"),
    )


def _fidelity_chart(data: Data, name: str, scenes: str) -> Chart:
    metric = _metrics(data)[0]
    identity = _row(data, None, "identity", metric, scenes)
    rows = [r for r in _main_rows(data, scenes) if r["name"] != "identity"]
    titles = {
        "d_np": "Direct fidelity: output of the image not chosen",
        "d_pp": "Preservation: output of the image chosen",
    }
    return points_chart(
        f"{name.replace('_', '')}-{scenes}",
        [_point(data, row, name, 2) for row in rows],
        title=titles[name],
        axis=f"{METRICS[metric]}, lower is better",
        mark=Mark(value=float(identity[name]), label="identity"),
    )


def _rater_chart(data: Data, system: Data, scenes: str) -> Chart:
    pairs = [
        (float(line["identity"]), float(line["cqs"]))
        for line in _per_rater_lines(data, scenes)
        if line["run"] == system["run"] and _is_finite(line["cqs"]) and _is_finite(line["identity"])
    ]
    above = sum(ours > floor for floor, ours in pairs)
    several = f" ({system['run']})" if len(data["systems"]) > 1 else ""
    return dumbbell_chart(
        f"raters-{scenes}-{system['run']}",
        pairs,
        title=f"{above} of {len(pairs)} raters above identity{several}",
        axis="CQS on ΔE00, one line a rater",
        labels=("identity", f"{system['name']}, blue where better"),
    )


def _per_rater_lines(data: Data, scenes: str) -> list[dict[str, Any]]:
    """Each learner's ΔE00 CQS of each rater beside identity's."""
    lines = [
        line for line in data["per_rater"] if line["scenes"] == scenes and line["metric"] == _metrics(data)[0]
    ]
    floor = {line["rater_id"]: line["cqs"] for line in lines if line["name"] == "identity"}
    return [
        {**line, "identity": floor[line["rater_id"]]}
        for line in lines
        if line["run"] and line["name"] not in WORDS
    ]


def _ends(interval: Sequence[Any] | None) -> tuple[float | None, float | None]:
    """Ends that can be drawn."""
    if not interval or not all(_is_finite(end) for end in interval):
        return None, None
    return float(interval[0]), float(interval[1])


def _is_finite(value: Any) -> bool:
    return value is not None and abs(float(value)) != float("inf")
